/** Short texts are read from their bytes as `TextDecoder` has it. */
import { describe, expect, it } from "@effect/vitest"
import * as ShortText from "@effect-raft/kv/ShortText"

const texts = [
  "",
  "a",
  "key-1",
  "123",
  "1234",
  "12345",
  "12345678",
  "123456789012",
  "1234567890123",
  "schlüssel",
  "é",
  "1234é",
  "é234567",
  "鍵",
  "🔑",
  "\u{FEFF}a"
]

describe("a text", () => {
  it.each(texts)("%j is read from its bytes in UTF-8", (text) => {
    expect(ShortText.decode(new TextEncoder().encode(text))).toBe(text)
  })

  it.each(texts)("%j is read where it stands among other bytes", (text) => {
    const bytes = new TextEncoder().encode(`é${text}é`)
    expect(ShortText.decode(bytes, 2, bytes.byteLength - 2)).toBe(text)
  })

  it("is not read from what is no UTF-8", () => {
    expect(() => ShortText.decode(Uint8Array.of(0x61, 0x62, 0x63, 0xff, 0x64))).toThrow(TypeError)
    expect(() => ShortText.decode(Uint8Array.of(0x61, 0xff))).toThrow(TypeError)
  })
})
