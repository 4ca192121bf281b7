/**
 * A backup as bytes: what the machine was at one moment, and whose it was.
 *
 * It is written and read from front to back, so it can be streamed, and everything in it is covered by a
 * chain of SHA-256 digests: each covers the one before it and the bytes since. So no part can change, be
 * lost, or come from another backup unseen, and the last digest names the whole. Magic, version and length
 * stand where they do in every version, so that an old program can tell a newer file from a damaged one.
 * Little-endian:
 *
 * | bytes | what |
 * | --- | --- |
 * | 8 | "raft-bak" |
 * | 4 | format version |
 * | 4 | bytes of the header |
 * | … | the header, in JSON |
 * | 32 | digest of all that, without one before it |
 *
 * Then pieces of the machine's snapshot, and the end, which is a piece of length 0:
 *
 * | bytes | what |
 * | --- | --- |
 * | 4 | bytes of the contents |
 * | … | the contents; of the end, the bytes of all contents together (float64) |
 * | 32 | digest of the digest before, followed by the length and the contents |
 */
import * as Schema from "effect/Schema"
import { ClusterId, GroupId, NodeId } from "./NodeId.ts"
import { SnapshotMeta } from "./Snapshot.ts"

/** Whose state a backup holds, and as of when. */
export const BackupHeader = Schema.Struct({
  clusterId: ClusterId,
  groupId: GroupId,
  /** The node that made it. */
  nodeId: NodeId,
  /** The name of the state machine, which must be that of the program that restores it. */
  machine: Schema.String,
  /** The node's clock, in milliseconds since the epoch. */
  takenAtMillis: Schema.Finite,
  /** The place in the log, and the membership there. */
  snapshot: SnapshotMeta
})
export type BackupHeader = typeof BackupHeader.Type

/** The version that this program writes, and the newest it reads. */
export const formatVersion = 1

/** As much as it takes to know what it is and how long its header is. */
export const prefixBytes = 16
export const digestBytes = 32
export const lengthBytes = 4
/** Bytes of the contents of the end. */
export const totalBytes = 8
/** The largest piece, which is also about what a reader holds in memory. */
export const maxPieceBytes = 1024 * 1024
/** The largest header; it holds the membership. */
export const maxHeaderBytes = 1024 * 1024

const magic = new TextEncoder().encode("raft-bak")

const codec = Schema.fromJsonString(Schema.toCodecJson(BackupHeader))
const encodeJson = Schema.encodeSync(codec)

/** Reads the JSON of a header. */
export const decodeHeader = Schema.decodeUnknownEffect(codec)

/** Prefix and header. */
export const encodeHeader = (header: BackupHeader, version = formatVersion): Uint8Array => {
  const json = new TextEncoder().encode(encodeJson(header))
  const bytes = new Uint8Array(prefixBytes + json.byteLength)
  bytes.set(magic)
  viewOf(bytes).setUint32(8, version, true)
  viewOf(bytes).setUint32(12, json.byteLength, true)
  bytes.set(json, prefixBytes)
  return bytes
}

/** What the first bytes say; `undefined` where they are of no backup. */
export const readPrefix = (
  prefix: Uint8Array
): { readonly version: number; readonly headerBytes: number } | undefined => {
  if (prefix.byteLength < prefixBytes || magic.some((byte, at) => prefix[at] !== byte)) return undefined
  return { version: viewOf(prefix).getUint32(8, true), headerBytes: viewOf(prefix).getUint32(12, true) }
}

/** A length, as it stands before the contents. */
export const encodeLength = (bytes: number): Uint8Array => {
  const length = new Uint8Array(lengthBytes)
  viewOf(length).setUint32(0, bytes, true)
  return length
}

export const readLength = (length: Uint8Array): number => viewOf(length).getUint32(0, true)

/** The contents of the end. */
export const encodeTotal = (contentsBytes: number): Uint8Array => {
  const total = new Uint8Array(totalBytes)
  viewOf(total).setFloat64(0, contentsBytes, true)
  return total
}

export const readTotal = (total: Uint8Array): number => viewOf(total).getFloat64(0, true)

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
