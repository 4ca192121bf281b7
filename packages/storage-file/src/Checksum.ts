/**
 * The checksum of everything on disk: CRC-32 as zlib computes it, in native code. Why not CRC-32C stands
 * in docs/decisions/0010-checksum.md.
 */
import { crc32 } from "node:zlib"

/** The checksum of `bytes`, or of all that `previous` covers followed by `bytes`. */
export const checksum = (bytes: Uint8Array, previous = 0): number => crc32(bytes, previous)
