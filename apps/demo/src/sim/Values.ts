/**
 * The values that simulated clients write: short texts in ASCII, whose characters are their bytes. The platform's
 * encoder would take longer than a node to apply the command.
 */
import { ByteSlab } from "@effect-raft/core/ByteSlab"
import * as ShortText from "@effect-raft/kv/ShortText"

const slab = new ByteSlab()

export const toBytes = (ascii: string): Uint8Array => {
  const bytes = slab.take(ascii.length)
  for (let at = 0; at < ascii.length; at++) bytes[at] = ascii.charCodeAt(at)
  return bytes
}

export const toText = (bytes: Uint8Array): string => ShortText.decode(bytes)
