/**
 * What stood in a file before it became the segment that it is now: a segment of format 3 that was written over
 * a former one has at its end a checksum of each sector of that, four bytes each. A sector that still has its sum
 * was not written to. Such segments are read only; since format 4 the sectors themselves tell (`StampedSectors`).
 */
import { checksum } from "./Checksum.ts"
import { sectorBytes } from "./StampedSectors.ts"

const sumBytes = 4

/** Where the sums begin in a file of this size, which is one of whole sectors. */
export const startOf = (fileBytes: number): number =>
  Math.floor((fileBytes - (fileBytes / sectorBytes) * sumBytes) / sectorBytes) * sectorBytes

/** Whether a sector of a file holds what it held before, by the sums at the file's end. */
export const isUntouched = (file: DataView, sector: number): boolean => {
  const start = sector * sectorBytes
  const bytes = new Uint8Array(file.buffer, file.byteOffset + start, sectorBytes)
  return checksum(bytes) === file.getUint32(startOf(file.byteLength) + sector * sumBytes, true)
}

/** The checksum of the sums at the end of a file. */
export const checksumOf = (file: Uint8Array): number => checksum(file.subarray(startOf(file.byteLength)))
