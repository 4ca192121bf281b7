/**
 * Whether two pieces of memory hold the same. In one process it is often the very same memory, which needs no look.
 */
export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => {
  if (a.byteLength !== b.byteLength) return false
  if (a.buffer === b.buffer && a.byteOffset === b.byteOffset) return true
  for (let at = 0; at < a.byteLength; at++) if (a[at] !== b[at]) return false
  return true
}
