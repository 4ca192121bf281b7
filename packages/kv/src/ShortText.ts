/**
 * A few characters from their bytes. `TextDecoder` leaves JavaScript, which takes 200 to 400 ns, and most keys are
 * shorter than that is worth.
 */

/** Up to this length a loop is quicker. */
const maxLength = 12
const lastAscii = 0x7f

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** Reads the UTF-8 from `start` to `end`, all of it unless told; throws a `TypeError` where it is none. */
export const decode = (bytes: Uint8Array, start = 0, end = bytes.byteLength): string => {
  if (end - start > maxLength) return decoder.decode(bytes.subarray(start, end))
  let text = ""
  for (let at = start; at < end; at++) {
    if (bytes[at]! > lastAscii) return decoder.decode(bytes.subarray(start, end))
    text += String.fromCharCode(bytes[at]!)
  }
  return text
}
