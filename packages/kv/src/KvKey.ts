/**
 * What may be a key.
 *
 * A key is text: 1 to 1024 bytes of UTF-8. It may hold slashes, spaces and line breaks; in a URL it is
 * percent-encoded. Two texts are no keys although they are short enough, `.` and `..`: every URL
 * library takes them out of a path, percent-encoded or not, so no client could name them.
 */
import * as ShortText from "./ShortText.ts"

/** The longest key, in bytes of UTF-8. */
export const maxKeyBytes = 1024

const encoder = new TextEncoder()
const scratch = new Uint8Array(maxKeyBytes)

/** The UTF-8 bytes of a key that `problemWith` finds nothing wrong with. Valid until the next call. */
export const bytesOf = (key: string): Uint8Array =>
  new Uint8Array(scratch.buffer, 0, writeAscii(key) ? key.length : encoder.encodeInto(key, scratch).written)

/** Most keys are short and plain; of such a one its characters are its bytes, and the encoder costs more than they do. */
const maxAsciiLength = 64
const lastAscii = 0x7f

/** Tells whether `key` is such a one, and now stands in `scratch`. */
const writeAscii = (key: string): boolean => {
  if (key.length > maxAsciiLength) return false
  for (let at = 0; at < key.length; at++) {
    const character = key.charCodeAt(at)
    if (character > lastAscii) return false
    scratch[at] = character
  }
  return true
}

/** A character of a string takes at most so many bytes. */
const maxBytesPerCharacter = 3

/** Says why `key` is no key, or `undefined` when it is one. */
export const problemWith = (key: string): string | undefined => {
  if (key.length === 0) return "a key must not be empty"
  if (isDots(key)) return `"${key}" cannot be a key: URLs drop it from a path`
  if (!key.isWellFormed()) return "a key must be well-formed Unicode; this one holds half of a surrogate pair"
  if (key.length * maxBytesPerCharacter <= maxKeyBytes) return undefined
  return encoder.encodeInto(key, scratch).read < key.length
    ? tooLong(encoder.encode(key).byteLength)
    : undefined
}

/** Reads a key from the bytes from `start` to `end`; throws an error that says why they are none. */
export const fromBytes = (bytes: Uint8Array, start: number, end: number): string => {
  // What can be decoded is well-formed, and so long as its bytes are.
  if (end - start > maxKeyBytes) throw new RangeError(tooLong(end - start))
  const key = ShortText.decode(bytes, start, end)
  if (key.length === 0 || isDots(key)) throw new RangeError(problemWith(key))
  return key
}

const isDots = (key: string): boolean => key === "." || key === ".."

const tooLong = (bytes: number): string =>
  `a key takes at most ${maxKeyBytes} bytes of UTF-8; this one takes ${bytes}`
