/**
 * Whether two pieces of memory hold the same.
 */
export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => {
  if (a.byteLength !== b.byteLength) return false
  for (let at = 0; at < a.byteLength; at++) if (a[at] !== b[at]) return false
  return true
}
