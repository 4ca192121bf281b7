/**
 * The first 512 bytes of every segment: whose it is, which one it is, and in what format.
 *
 * Magic, version and checksum stand where they do in every version, so that an old program can tell a newer file
 * from a damaged one. Little-endian:
 *
 * | offset | bytes | what |
 * | --- | --- | --- |
 * | 0 | 8 | "raft-wal" |
 * | 8 | 4 | format version |
 * | 12 | 4 | salt: a random number that goes into the checksum of every record header in this file |
 * | 16 | 8 | number of the segment, from 1 (float64) |
 * | 24 | 8 | before 5: sequence number of its first record (float64); since 5 its first record says so, else 0 |
 * | 32 | 8 | bytes of the file (float64) |
 * | 40 | 2 | length of the identity |
 * | 42 | … | the identity, in JSON |
 * | 500 | 4 | in 3: 1 if the file was a segment before, so that there are sums at its end (`FormerSectors`); else 0 |
 * | 504 | 4 | in 3: checksum of those sums; else 0 |
 * | 508 | 4 | checksum of the 508 bytes before |
 */
import * as Schema from "effect/Schema"
import { DamagedStore, StorageIdentity, UnsupportedFormat } from "@effect-raft/core/RaftStorage"
import { checksum } from "./Checksum.ts"

export interface SegmentHeader {
  readonly version: number
  readonly identity: StorageIdentity
  readonly salt: number
  readonly number: number
  /**
   * Before format 5: the sequence number of its first record. Since then a segment has its header before that is
   * known.
   */
  readonly firstSequence: number | undefined
  /** A segment has its full size from the moment it has its name: a shorter file has lost something. */
  readonly fileBytes: number
  /** In format 3: checksum of the sums of what stood in the file before; `undefined` where that was zeros. */
  readonly formerSums: number | undefined
}

/** Where the records begin. */
export const headerBytes = 512

/**
 * The version that this program writes, and the newest it reads. Since 2 a segment begins with an opening, and a
 * record may have a base; since 3 the marks of its records are its own, and it may lie in a file that was a
 * segment before; since 4 each sector has a stamp; since 5 a segment may have its name before it is begun. A
 * segment of an older version is read, and nothing but its seal is written to it.
 */
export const formatVersion = 5

/** Since then a segment has its name ahead of its time, and its first record comes later. */
const namedAheadSince = 5

const magic = new TextEncoder().encode("raft-wal")
const checksumOffset = headerBytes - 4
const versionOffset = 8
const saltOffset = 12
const identityOffset = 42
const wasSegmentOffset = 500
const formerSumsOffset = 504

const identityCodec = Schema.fromJsonString(Schema.toCodecJson(StorageIdentity))
const encodeIdentity = Schema.encodeSync(identityCodec)
const decodeIdentity = Schema.decodeUnknownSync(identityCodec)

/** The header of a segment of this version, in which nothing has sums any more. */
export const encode = (header: Omit<SegmentHeader, "formerSums" | "firstSequence">): Uint8Array => {
  const bytes = new Uint8Array(headerBytes)
  const view = new DataView(bytes.buffer)
  const identity = new TextEncoder().encode(encodeIdentity(header.identity))
  bytes.set(magic)
  view.setUint32(versionOffset, header.version, true)
  view.setUint32(saltOffset, header.salt, true)
  view.setFloat64(16, header.number, true)
  view.setFloat64(32, header.fileBytes, true)
  view.setUint16(40, identity.byteLength, true)
  bytes.set(identity, identityOffset)
  view.setUint32(checksumOffset, checksum(bytes.subarray(0, checksumOffset)), true)
  return bytes
}

/**
 * Reads the header of the file at `location`, which is named in what is wrong with it. Of the file, which has
 * `fileBytes` bytes, no more than the header is needed.
 */
export const decode = (
  file: Uint8Array,
  location: string,
  fileBytes = file.byteLength
): SegmentHeader | DamagedStore | UnsupportedFormat => {
  if (file.byteLength < headerBytes) {
    return damaged(location, file.byteLength, `the file ends here, within its header of ${headerBytes} bytes`)
  }
  const view = new DataView(file.buffer, file.byteOffset, headerBytes)
  if (checksum(file.subarray(0, checksumOffset)) !== view.getUint32(checksumOffset, true)) {
    return damaged(location, 0, "the checksum of the file's header does not match")
  }
  if (magic.some((byte, at) => file[at] !== byte)) return damaged(location, 0, "this is no segment of a log")
  const version = view.getUint32(versionOffset, true)
  if (version > formatVersion)
    return new UnsupportedFormat({ location, found: version, supported: formatVersion })
  const header = read(file, view)
  return header.fileBytes === fileBytes
    ? header
    : damaged(location, fileBytes, `the file ends here, but was made with ${header.fileBytes} bytes`)
}

const read = (file: Uint8Array, view: DataView): SegmentHeader => ({
  version: view.getUint32(versionOffset, true),
  identity: decodeIdentity(
    new TextDecoder().decode(file.subarray(identityOffset, identityOffset + view.getUint16(40, true)))
  ),
  salt: view.getUint32(saltOffset, true),
  number: view.getFloat64(16, true),
  firstSequence:
    view.getUint32(versionOffset, true) < namedAheadSince ? view.getFloat64(24, true) : undefined,
  fileBytes: view.getFloat64(32, true),
  formerSums:
    view.getUint32(wasSegmentOffset, true) === 1 ? view.getUint32(formerSumsOffset, true) : undefined
})

const damaged = (location: string, offset: number, detail: string) =>
  new DamagedStore({ location, offset, detail })

const namePattern = /^(\d{8,})\.wal$/

/** The file name of a segment. */
export const nameOf = (number: number): string => `${String(number).padStart(8, "0")}.wal`

/** The number of the segment of this file name, `undefined` where it is none. */
export const numberOf = (name: string): number | undefined => {
  const digits = namePattern.exec(name)?.[1]
  return digits === undefined || nameOf(Number(digits)) !== name ? undefined : Number(digits)
}

/** Whether the segment begins with an opening. */
export const hasOpening = (header: SegmentHeader): boolean => header.version >= 2

/** Whether the segment may have its name, and nothing in it yet. */
export const mayBeAhead = (header: SegmentHeader): boolean => header.version >= namedAheadSince

/** Numbers of the segments among these file names, in order. */
export const numbersOf = (names: ReadonlyArray<string>): ReadonlyArray<number> =>
  names.flatMap((name) => numberOf(name) ?? []).sort((a, b) => a - b)

/** What a segment is called while it is being made. Without worth at the next start. */
export const unfinishedSuffix = ".new"

/** What a segment is called between two lives. */
export const retiredSuffix = ".old"

export const retiredNameOf = (number: number): string => nameOf(number) + retiredSuffix

/** Numbers of the segments among these file names that are kept to be written over, in order. */
export const retiredNumbersOf = (names: ReadonlyArray<string>): ReadonlyArray<number> =>
  numbersOf(
    names.flatMap((name) => (name.endsWith(retiredSuffix) ? [name.slice(0, -retiredSuffix.length)] : []))
  )

/** Whether this is a segment that is being made, or is kept to be written over. */
export const isUnfinished = (name: string): boolean =>
  [unfinishedSuffix, retiredSuffix].some(
    (suffix) => name.endsWith(suffix) && numberOf(name.slice(0, -suffix.length)) !== undefined
  )
