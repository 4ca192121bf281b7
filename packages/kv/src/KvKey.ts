/**
 * What may be a key.
 *
 * A key is text: 1 to 1024 bytes of UTF-8. It may hold slashes, spaces and line breaks; in a URL it is
 * percent-encoded. Two texts are no keys although they are short enough, `.` and `..`: every URL
 * library takes them out of a path, percent-encoded or not, so no client could name them.
 */

/** The longest key, in bytes of UTF-8. */
export const maxKeyBytes = 1024

const encoder = new TextEncoder()
const scratch = new Uint8Array(maxKeyBytes)

/** The UTF-8 bytes of a key that `problemWith` finds nothing wrong with. Valid until the next call. */
export const bytesOf = (key: string): Uint8Array =>
  scratch.subarray(0, encoder.encodeInto(key, scratch).written)

/** Says why `key` is no key, or `undefined` when it is one. */
export const problemWith = (key: string): string | undefined => {
  if (key.length === 0) return "a key must not be empty"
  if (key === "." || key === "..") return `"${key}" cannot be a key: URLs drop it from a path`
  if (!key.isWellFormed()) return "a key must be well-formed Unicode; this one holds half of a surrogate pair"
  if (encoder.encodeInto(key, scratch).read < key.length) {
    return `a key takes at most ${maxKeyBytes} bytes of UTF-8; this one takes ${encoder.encode(key).byteLength}`
  }
  return undefined
}
