/**
 * The marks at the start of every record, at the end of its header and at its end.
 *
 * They tell which parts of a write reached the disk. So none of their bytes is zero, and since format 3 they
 * are made of the segment's salt: a segment may be written over what another one has left, where the records
 * of that one stand in the same places, and it must be seen whose mark is whose.
 */

export const markBytes = 4

export interface RecordMarks {
  readonly start: number
  readonly headerEnd: number
  readonly end: number
}

/** What a segment gives to all of its records. */
export interface SegmentLife {
  /** Goes into the checksum of every record header. */
  readonly salt: number
  readonly marks: RecordMarks
  /** At the end of every sector (`StampedSectors`). Before format 4 nowhere. */
  readonly stamp: number
}

const fixed: RecordMarks = { start: 0xa55ac33c, headerEnd: 0x3cc35aa5, end: 0x5aa53cc3 }

/** The first format in which the marks are the segment's own. */
const ownMarksSince = 3

export const lifeOf = ({
  salt,
  version
}: {
  readonly salt: number
  readonly version: number
}): SegmentLife => ({
  salt,
  stamp: ((salt << 8) | (salt >>> 24)) >>> 0,
  marks:
    version < ownMarksSince
      ? fixed
      : { start: salt, headerEnd: ~salt >>> 0, end: ((salt << 16) | (salt >>> 16)) >>> 0 }
})

/** Of a byte of a salt: neither 0 nor 255, so that its complement is no zero either. */
const byteValues = 254

/** A salt out of a draw from [0, 1), unlike that of the records that stood there before. */
export const saltOf = (draw: number, former: number | undefined): number => {
  let rest = Math.floor(draw * byteValues ** markBytes)
  let salt = 0
  for (let byte = 0; byte < markBytes; byte++) {
    salt = ((salt << 8) | ((rest % byteValues) + 1)) >>> 0
    rest = Math.floor(rest / byteValues)
  }
  return former !== undefined && isNear(salt, former) ? ~salt >>> 0 : salt
}

/** Whether a mark stands here, also if one of its bytes has changed since. */
export const standsAt = (file: DataView, at: number, mark: number): boolean =>
  isNear(file.getUint32(at, true), mark)

const isNear = (one: number, other: number): boolean => {
  let same = 0
  for (let bit = 0; bit < 32; bit += 8) {
    if (((one >>> bit) & 0xff) === ((other >>> bit) & 0xff)) same++
  }
  return same >= markBytes - 1
}
