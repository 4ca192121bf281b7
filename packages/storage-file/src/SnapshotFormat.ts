/**
 * A snapshot on disk: a header that says whose it is and what it stands for, the bytes in chunks of one
 * size, each with its own checksum, and a footer that says how many there are. So a reader checks what it
 * reads without reading the rest, and a file that is not finished shows how much of it is whole.
 *
 * Magic, version, header length and checksum stand where they do in every version, so that an old program
 * can tell a newer file from a damaged one. Little-endian:
 *
 * | offset | bytes | what |
 * | --- | --- | --- |
 * | 0 | 8 | "raft-snp" |
 * | 8 | 4 | format version |
 * | 12 | 4 | bytes of the header |
 * | 16 | 4 | salt: a random number that goes into the checksum of every chunk of this file |
 * | 20 | 4 | bytes of the contents in every chunk but the last, which may have fewer |
 * | 24 | … | identity and meta, in JSON |
 * | end | 4 | checksum of the header before |
 *
 * A chunk: checksum of what follows, salted with its number (4), bytes of the contents (4), the contents.
 * The footer: checksum of what follows, salted (4), end mark (4), bytes of the contents of the whole
 * snapshot (float64).
 */
import * as Schema from "effect/Schema"
import { DamagedStore, StorageIdentity, UnsupportedFormat } from "@effect-raft/core/RaftStorage"
import type { SnapshotPurpose } from "@effect-raft/core/RaftStorage"
import { SnapshotMeta } from "@effect-raft/core/Snapshot"
import { checksum } from "./Checksum.ts"

export interface SnapshotHeader {
  /** Of the store that has the file, also when the snapshot came from another node. */
  readonly identity: StorageIdentity
  readonly meta: SnapshotMeta
  readonly salt: number
  readonly chunkBytes: number
  /** Where the first chunk begins. */
  readonly headerBytes: number
}

/** The newest version that this program writes and reads. */
export const formatVersion = 2

/**
 * Version 2 may begin with clients' sessions, and be of a newer version of the machine. Where it is neither a
 * program of version 1 can read it too.
 */
const versionFor = ({ machineVersion, sessionBytes }: SnapshotMeta): number =>
  sessionBytes === undefined && machineVersion === undefined ? 1 : formatVersion

/** As much of a file as it takes to know how long its header is. */
export const prefixBytes = 24
export const chunkHeaderBytes = 8
export const footerBytes = 16

const maxHeaderBytes = 16 * 1024 * 1024
const checksumBytes = 4
const footerMark = 0xc33ca55a
const magic = new TextEncoder().encode("raft-snp")

const codec = Schema.fromJsonString(
  Schema.toCodecJson(Schema.Struct({ identity: StorageIdentity, meta: SnapshotMeta }))
)
const encodeJson = Schema.encodeSync(codec)
const decodeJson = Schema.decodeUnknownSync(codec)

export const encodeHeader = (
  { chunkBytes, identity, meta, salt }: Omit<SnapshotHeader, "headerBytes">,
  version = versionFor(meta)
): Uint8Array => {
  const json = new TextEncoder().encode(encodeJson({ identity, meta }))
  const headerBytes = prefixBytes + json.byteLength + checksumBytes
  const bytes = new Uint8Array(headerBytes)
  const view = new DataView(bytes.buffer)
  bytes.set(magic)
  view.setUint32(8, version, true)
  view.setUint32(12, headerBytes, true)
  view.setUint32(16, salt, true)
  view.setUint32(20, chunkBytes, true)
  bytes.set(json, prefixBytes)
  const checksumAt = headerBytes - checksumBytes
  view.setUint32(checksumAt, checksum(bytes.subarray(0, checksumAt)), true)
  return bytes
}

/** How long the header is that begins with `prefix`; `undefined` where none does. */
export const headerBytesOf = (prefix: Uint8Array): number | undefined => {
  if (prefix.byteLength < prefixBytes || magic.some((byte, at) => prefix[at] !== byte)) return undefined
  const bytes = viewOf(prefix).getUint32(12, true)
  return bytes >= prefixBytes + checksumBytes && bytes <= maxHeaderBytes ? bytes : undefined
}

/** Reads a header that is `bytes` from first to last. `location` is named in what is wrong with it. */
export const decodeHeader = (
  bytes: Uint8Array,
  location: string
): SnapshotHeader | DamagedStore | UnsupportedFormat => {
  const view = viewOf(bytes)
  const checksumAt = bytes.byteLength - checksumBytes
  if (checksum(bytes.subarray(0, checksumAt)) !== view.getUint32(checksumAt, true)) {
    const detail = "the checksum of the snapshot's header does not match"
    return new DamagedStore({ location, offset: 0, detail })
  }
  const version = view.getUint32(8, true)
  if (version > formatVersion)
    return new UnsupportedFormat({ location, found: version, supported: formatVersion })
  return {
    ...decodeJson(new TextDecoder().decode(bytes.subarray(prefixBytes, checksumAt))),
    salt: view.getUint32(16, true),
    chunkBytes: view.getUint32(20, true),
    headerBytes: bytes.byteLength
  }
}

/** What stands before the contents of chunk number `number`, written into `into`. */
export const encodeChunkHeader = (
  into: Uint8Array,
  contents: Uint8Array,
  { number, salt }: { readonly number: number; readonly salt: number }
): Uint8Array => {
  const view = viewOf(into)
  view.setUint32(4, contents.byteLength, true)
  view.setUint32(0, checksum(contents, checksum(into.subarray(4), chunkSalt(salt, number))), true)
  return into
}

/** The contents of a whole chunk, a view of `bytes`; `undefined` where it is not the one that was written. */
export const decodeChunk = (
  bytes: Uint8Array,
  { number, salt }: { readonly number: number; readonly salt: number }
): Uint8Array | undefined => {
  if (bytes.byteLength < chunkHeaderBytes) return undefined
  const view = viewOf(bytes)
  const isWhole =
    view.getUint32(4, true) === bytes.byteLength - chunkHeaderBytes &&
    view.getUint32(0, true) === checksum(bytes.subarray(4), chunkSalt(salt, number))
  return isWhole ? bytes.subarray(chunkHeaderBytes) : undefined
}

/** A chunk in the place of another is damage too. */
const chunkSalt = (salt: number, number: number): number => (salt + number) >>> 0

export const encodeFooter = (sizeBytes: number, salt: number): Uint8Array => {
  const bytes = new Uint8Array(footerBytes)
  const view = viewOf(bytes)
  view.setUint32(4, footerMark, true)
  view.setFloat64(8, sizeBytes, true)
  view.setUint32(0, checksum(bytes.subarray(4), salt), true)
  return bytes
}

/** The bytes of the contents; `undefined` where this is no footer. */
export const decodeFooter = (bytes: Uint8Array, salt: number): number | undefined => {
  if (bytes.byteLength !== footerBytes) return undefined
  const view = viewOf(bytes)
  const isWhole =
    view.getUint32(4, true) === footerMark && view.getUint32(0, true) === checksum(bytes.subarray(4), salt)
  return isWhole ? view.getFloat64(8, true) : undefined
}

/** Where chunk number `number`, from 0, begins. */
export const chunkAt = ({ chunkBytes, headerBytes }: SnapshotHeader, number: number): number =>
  headerBytes + number * (chunkHeaderBytes + chunkBytes)

/** Where the footer of a snapshot with this many bytes of contents begins. */
export const footerAt = (header: SnapshotHeader, sizeBytes: number): number =>
  header.headerBytes + sizeBytes + Math.ceil(sizeBytes / header.chunkBytes) * chunkHeaderBytes

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const namePattern = /^(\d{16})-(.+)\.snapshot$/

/** Named by its place in the log, so that the newest is the last of the names. */
export const nameOf = ({ id, lastIndex }: SnapshotMeta): string =>
  `${String(lastIndex).padStart(16, "0")}-${id}.snapshot`

export const isSnapshotName = (name: string): boolean => namePattern.test(name)

/** What an unfinished snapshot is called, one for each purpose. */
export const partNameOf = (purpose: SnapshotPurpose): string => `${purpose.toLowerCase()}.part`

export const isPartName = (name: string): boolean =>
  name === partNameOf("Take") || name === partNameOf("Receive")
