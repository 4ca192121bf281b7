/**
 * Float64 in bytes, little-endian, at any offset. By way of eight bytes that are used again and again: a
 * `DataView` over a small message costs more than all the rest of reading it.
 */
const scratch = new Uint8Array(8)
const view = new DataView(scratch.buffer)

export const read = (bytes: Uint8Array, at: number): number => {
  for (let i = 0; i < 8; i++) scratch[i] = bytes[at + i]!
  return view.getFloat64(0, true)
}

export const write = (bytes: Uint8Array, at: number, value: number): void => {
  view.setFloat64(0, value, true)
  for (let i = 0; i < 8; i++) bytes[at + i] = scratch[i]!
}
