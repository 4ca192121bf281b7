/**
 * A few characters from their bytes. `TextDecoder` leaves JavaScript, which takes 200 to 400 ns, and most keys are
 * shorter than that is worth.
 */

/** Up to this length a loop is quicker. */
const maxLength = 12
const lastAscii = 0x7f

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/**
 * Reads the UTF-8 from `start` to `end`, all of it unless told; throws a `TypeError` where it is none. Four
 * characters at a time: each step makes a string of all so far, and these were a fifth of what a follower allocates
 * for a put.
 */
export const decode = (bytes: Uint8Array, start = 0, end = bytes.byteLength): string => {
  if (end - start > maxLength) return decoder.decode(bytes.subarray(start, end))
  let text = ""
  let all = 0
  let at = start
  for (; at + 4 <= end; at += 4) {
    const a = bytes[at]!
    const b = bytes[at + 1]!
    const c = bytes[at + 2]!
    const d = bytes[at + 3]!
    all |= a | b | c | d
    text += String.fromCharCode(a, b, c, d)
  }
  for (; at < end; at++) {
    all |= bytes[at]!
    text += String.fromCharCode(bytes[at]!)
  }
  return all > lastAscii ? decoder.decode(bytes.subarray(start, end)) : text
}
