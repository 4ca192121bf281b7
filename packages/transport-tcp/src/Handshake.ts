/**
 * How two nodes make sure that they mean each other before a message passes.
 *
 * Both ends of a new connection first send a preamble of eight bytes: "ERAFT", a zero, the oldest and the
 * newest version of the protocol that they speak. They use the newest that both have. Then the dialler says
 * hello: cluster, group, who it is, whom it expects, and facts about itself; a dialler that does not trust who
 * answers says `Refuse` instead. The listener answers `Accept` with facts of its own, or `Refuse` with the
 * reason in words, and closes. Preamble, `Refuse` and their meaning stay as they are in every later version, so
 * that a node of another version, too, is told why.
 */
import { ClusterId, GroupId, NodeId } from "@effect-raft/core/NodeId"
import * as Schema from "effect/Schema"
import { MalformedFrame } from "./FrameReader.ts"
import type { FrameReader } from "./FrameReader.ts"
import { textBytes } from "./FrameWriter.ts"
import type { FrameWriter } from "./FrameWriter.ts"
import { show as showVersions } from "./Versions.ts"
import type { Versions } from "./Versions.ts"

/**
 * The versions of the peers' protocol that are spoken here. There is a new one whenever a peer of the newest
 * could misread a frame; the one before it is then spoken too, for as long as a rolling upgrade may take.
 * Version 1 was that of programs that could not negotiate; version 2 knew neither `StaleTerm` nor `CommitNotice`,
 * and was never released, so it is not spoken any more.
 */
export const ourVersions: Versions = { oldest: 3, newest: 3 }

/** Largest body of a frame before the handshake is over. */
export const maxHandshakeBytes = 16 * 1024

export const frameTypes = { Hello: 64, Accept: 65, Refuse: 66, KeepAlive: 67 } as const

export type Attributes = Readonly<Record<string, string>>

/** What the dialler says of itself, and whom it wants. */
export interface Hello {
  readonly clusterId: ClusterId
  readonly groupId: GroupId
  readonly from: NodeId
  readonly to: NodeId
  readonly attributes: Attributes
}

// --- preamble -----------------------------------------------------------------------------------------

export const preambleBytes = 8
const magic = new TextEncoder().encode("ERAFT\0")

/** The first bytes of a connection, from either end. */
export const preamble = ({ newest, oldest }: Versions = ourVersions): Uint8Array => {
  const bytes = new Uint8Array(preambleBytes)
  bytes.set(magic)
  bytes[magic.byteLength] = oldest
  bytes[magic.byteLength + 1] = newest
  return bytes
}

/** Whether bytes that arrived first (all of them, or only some yet) can be the beginning of a preamble. */
export const maybePreamble = (bytes: Uint8Array): boolean =>
  magic.every((byte, at) => at >= bytes.byteLength || bytes[at] === byte)

/** The versions that a preamble names. */
export const versionsOf = (bytes: Uint8Array): Versions => {
  const oldest = bytes[magic.byteLength]!
  // Version 1 wrote one number in the place of both.
  return { oldest, newest: Math.max(oldest, bytes[magic.byteLength + 1]!) }
}

// --- frames -------------------------------------------------------------------------------------------

export const encodeHello = (writer: FrameWriter, hello: Hello): void => {
  const names = [hello.clusterId, hello.groupId, hello.from, hello.to]
  const bytes = names.reduce((sum, name) => sum + textBytes(name), attributesBytes(hello.attributes))
  writer.begin(frameTypes.Hello, bytes)
  for (const name of names) writer.text(name)
  encodeAttributes(writer, hello.attributes)
}

/** Reads a hello; throws `MalformedFrame`. */
export const decodeHello = (reader: FrameReader): Hello => {
  expectType(reader, frameTypes.Hello)
  const hello = {
    clusterId: nameIn(reader, ClusterId),
    groupId: nameIn(reader, GroupId),
    from: nameIn(reader, NodeId),
    to: nameIn(reader, NodeId),
    attributes: decodeAttributes(reader)
  }
  reader.finish()
  return hello
}

export const encodeAccept = (writer: FrameWriter, attributes: Attributes): void => {
  writer.begin(frameTypes.Accept, attributesBytes(attributes))
  encodeAttributes(writer, attributes)
}

export const encodeRefuse = (writer: FrameWriter, reason: string): void => {
  writer.begin(frameTypes.Refuse, textBytes(reason))
  writer.text(reason)
}

export const encodeKeepAlive = (writer: FrameWriter): void => writer.begin(frameTypes.KeepAlive, 0)

/** What the listener answered. */
export type Answer =
  | { readonly _tag: "Accept"; readonly attributes: Attributes }
  | { readonly _tag: "Refuse"; readonly reason: string }

/** Reads the answer to a hello; throws `MalformedFrame`. */
export const decodeAnswer = (reader: FrameReader): Answer => {
  if (reader.type === frameTypes.Refuse) return { _tag: "Refuse", reason: printable(reader.text()) }
  expectType(reader, frameTypes.Accept)
  const attributes = decodeAttributes(reader)
  reader.finish()
  return { _tag: "Accept", attributes }
}

/** What a caller begins with: a hello, or its reasons to go away again. */
export type Greeting =
  | { readonly _tag: "Hello"; readonly hello: Hello }
  | { readonly _tag: "Refuse"; readonly reason: string }

/** Reads the first frame of a caller; throws `MalformedFrame`. */
export const decodeGreeting = (reader: FrameReader): Greeting =>
  reader.type === frameTypes.Refuse
    ? { _tag: "Refuse", reason: printable(reader.text()) }
    : { _tag: "Hello", hello: decodeHello(reader) }

/** The bytes that attributes take in a hello; more than {@link maxHandshakeBytes} cannot be told. */
export const attributesBytes = (attributes: Attributes): number =>
  Object.entries(attributes).reduce((sum, [key, value]) => sum + textBytes(key) + textBytes(value), 2)

const encodeAttributes = (writer: FrameWriter, attributes: Attributes): void => {
  const pairs = Object.entries(attributes)
  writer.uint16(pairs.length)
  for (const [key, value] of pairs) {
    writer.text(key)
    writer.text(value)
  }
}

const decodeAttributes = (reader: FrameReader): Attributes => {
  const pairs: Array<[string, string]> = []
  for (let left = reader.uint16(); left > 0; left--) pairs.push([reader.text(), reader.text()])
  return Object.fromEntries(pairs)
}

const expectType = (reader: FrameReader, type: number): void => {
  if (reader.type !== type)
    throw new MalformedFrame({ detail: `a frame of type ${reader.type} during the handshake` })
}

/** Reads a name that the schema accepts; throws `MalformedFrame`. */
export const nameIn = <S extends Schema.Decoder<string>>(reader: FrameReader, schema: S): S["Type"] => {
  const text = reader.text()
  if (!Schema.is(schema)(text)) throw new MalformedFrame({ detail: `"${printable(text)}" is no name` })
  return text
}

/** Text of a stranger, fit for a log. */
export const printable = (text: string): string => text.slice(0, 200).replace(/[^\x20-\x7e]/g, "?")

// --- judgement ----------------------------------------------------------------------------------------

/** Who listens here, in so far as a caller must know it. */
export interface Callee {
  readonly clusterId: ClusterId
  readonly groupId: GroupId
  readonly nodeId: NodeId
}

/** Why a caller is not let in, in words for both ends; `undefined` when it is. */
export const refusalOf = (hello: Hello, callee: Callee): string | undefined => {
  if (hello.clusterId !== callee.clusterId) {
    return `node ${callee.nodeId} belongs to cluster ${callee.clusterId}, node ${hello.from} to cluster ${hello.clusterId}`
  }
  if (hello.groupId !== callee.groupId) {
    return `node ${callee.nodeId} belongs to group ${callee.groupId}, node ${hello.from} to group ${hello.groupId}`
  }
  if (hello.to !== callee.nodeId) {
    return `node ${hello.from} expects node ${hello.to} at this address, but this is node ${callee.nodeId}`
  }
  if (hello.from === callee.nodeId) {
    return `two nodes call themselves ${callee.nodeId}; give one of them another name`
  }
  return undefined
}

/** What a node is told that speaks no version that is spoken here. */
export const versionRefusal = (ours: Versions, theirs: Versions): string =>
  `peer protocol ${showVersions(ours)} is spoken here, the other end speaks ${showVersions(theirs)}; update the older of the two`
