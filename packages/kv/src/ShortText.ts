/**
 * A few characters from their bytes. `TextDecoder` leaves JavaScript, which takes 200 to 400 ns, and most keys are
 * shorter than that is worth.
 */

/** Up to this length a loop is quicker. */
const maxLength = 12
const lastAscii = 0x7f

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** Reads UTF-8; throws a `TypeError` where it is none. */
export const decode = (bytes: Uint8Array): string => {
  if (bytes.byteLength > maxLength) return decoder.decode(bytes)
  let text = ""
  for (let at = 0; at < bytes.byteLength; at++) {
    if (bytes[at]! > lastAscii) return decoder.decode(bytes)
    text += String.fromCharCode(bytes[at]!)
  }
  return text
}
