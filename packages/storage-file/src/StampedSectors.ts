/**
 * How records lie in a segment since format 4: back to back, but of each sector they have only the first 508
 * bytes. The other four are a stamp, which is the segment's own. Every write goes on to the end of the sector in
 * which its record ends, with zeros and the stamp.
 *
 * A disk writes a sector whole or not at all, so the stamp tells of each sector whether it was written since the
 * segment began, whatever stood there before: zeros, or what a former segment has left. A write that was cut short
 * has left a sector without it (`UnstampedSectors`), and nothing has to be known of a file before it is written
 * over. Here a place among the records is a `position` and a place in the file an `offset`; they are the same up to
 * the end of the segment's header, which is a sector without a stamp.
 */

/** The least that a disk writes whole. */
export const sectorBytes = 512

const stampBytes = 4
/** What records have of a sector. A multiple of 4, so that no mark of a record lies in two. */
const filledBytes = sectorBytes - stampBytes

/**
 * A large batch is laid out in portions, in a buffer that is kept: to touch fresh memory takes longer than to write what is
 * in it. Two of them are larger than what takes zeros along (`Preallocation`).
 */
const maxPortionBytes = 512 * 1024

/** The sector of the file with this position, which is one of records. */
export const sectorOf = (position: number): number => Math.floor((position - sectorBytes) / filledBytes) + 1

/** One past the last position in a sector. */
export const endOf = (sector: number): number => sectorBytes + sector * filledBytes

/** How far positions reach in a file of this size. */
export const roomBytes = (fileBytes: number): number => endOf(Math.floor(fileBytes / sectorBytes) - 1)

/** A position behind the last byte of a sector is in the next, behind the stamp. */
export const offsetOf = (position: number): number => {
  const sector = sectorOf(position)
  return sector * sectorBytes + position - endOf(sector - 1)
}

export interface Gathered {
  /** The header and the records without the stamps: a place in it is a position. */
  readonly records: Uint8Array
  /** The stamp of each sector. */
  readonly stamps: Uint32Array
}

/** Moves the records of a segment together, in the bytes of `file` itself: new memory would take far longer. */
export const gather = (file: Uint8Array): Gathered => {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const stamps = new Uint32Array(Math.floor(file.byteLength / sectorBytes))
  for (let sector = 1; sector < stamps.length; sector++) {
    const offset = sector * sectorBytes
    stamps[sector] = view.getUint32(offset + filledBytes, true)
    file.copyWithin(endOf(sector - 1), offset, offset + filledBytes)
  }
  return { records: file.subarray(0, roomBytes(file.byteLength)), stamps }
}

/**
 * Lays records out, `parts` back to back from a position on, as they stand in the file up to the end of the last
 * sector. In portions of whole sectors, which come one after the other; each is valid until the next is asked for, or
 * other records are laid out.
 */
export type Spread = (
  parts: ReadonlyArray<Uint8Array>,
  position: number,
  stamp: number
) => Generator<Uint8Array, void>

export const makeSpread = (): Spread => {
  let kept = Buffer.alloc(0)
  const bufferOf = (bytes: number): Buffer => {
    // Half as much again, so that batches which get larger and larger do not take a new buffer each.
    if (bytes > kept.byteLength)
      kept = Buffer.allocUnsafeSlow(Math.min(maxPortionBytes, bytes + Math.floor(bytes / 2)))
    return kept.subarray(0, bytes)
  }

  return function* (parts, position, stamp) {
    const end = position + lengthOf(parts)
    const sectors = sectorOf(end - 1) + 1 - sectorOf(position)
    const aside = offsetOf(position) % sectorBytes
    const buffer = bufferOf(portionBytes(sectors))
    // The first sector may have begun before.
    let start = aside
    let at = aside
    let left = filledBytes - aside
    for (const part of parts) {
      for (let from = 0; from < part.byteLength;) {
        if (left === 0) {
          at = buffer.writeUInt32LE(stamp, at)
          left = filledBytes
          if (at === buffer.byteLength) {
            yield buffer.subarray(start)
            start = at = 0
          }
        }
        const count = Math.min(left, part.byteLength - from)
        buffer.set(part.subarray(from, from + count), at)
        from += count
        at += count
        left -= count
      }
    }
    buffer.fill(0, at, at + left)
    yield buffer.subarray(start, buffer.writeUInt32LE(stamp, at + left))
  }
}

/** How large the portions of so many sectors are, of about one size. */
const portionBytes = (sectors: number): number => {
  const portions = Math.ceil((sectors * sectorBytes) / maxPortionBytes)
  return Math.ceil(sectors / portions) * sectorBytes
}

const lengthOf = (parts: ReadonlyArray<Uint8Array>): number => {
  let bytes = 0
  for (const part of parts) bytes += part.byteLength
  return bytes
}
