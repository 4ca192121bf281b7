/**
 * How a client and a node make sure that they mean each other. docs/client-protocol.md has the bytes.
 *
 * The client begins with eight bytes: "ERAFC", a zero, the oldest and the newest version of the protocol
 * that it speaks. Then it says which cluster and group it wants. The node begins with the same eight bytes of
 * its own and answers `Welcome`, with the version it chose, or `Refuse` with the reason in words. These
 * eight bytes, and `Refuse`, stay as they are in every later version.
 */
import type { Welcome } from "@effect-raft/core/ClientMessage"
import { ClusterId, GroupId, NodeId } from "@effect-raft/core/NodeId"
import { MalformedFrame } from "./FrameReader.ts"
import type { FrameReader } from "./FrameReader.ts"
import { textBytes } from "./FrameWriter.ts"
import type { FrameWriter } from "./FrameWriter.ts"
import { nameIn, printable } from "./Handshake.ts"
import { clientHello } from "./SecureSocket.ts"
import { show as showVersions } from "./Versions.ts"
import type { Versions } from "./Versions.ts"

/** The versions of the client protocol that are spoken here. */
export const ourVersions: Versions = { oldest: 1, newest: 1 }

/** Frames of both directions. A number is never given to another frame. */
export const frameTypes = {
  Hello: 96,
  Welcome: 97,
  Refuse: 98,
  Ping: 99,
  Pong: 100,
  Requests: 101,
  Answers: 102
} as const

/** Largest body of a frame before the handshake is over. */
export const maxHandshakeBytes = 16 * 1024

// --- preamble -----------------------------------------------------------------------------------------

export const preambleBytes = 8
const magic = new TextEncoder().encode("ERAFC\0")

export const preamble = ({ newest, oldest }: Versions = ourVersions): Uint8Array => {
  const bytes = new Uint8Array(preambleBytes)
  bytes.set(magic)
  bytes[magic.byteLength] = oldest
  bytes[magic.byteLength + 1] = newest
  return bytes
}

/** Reads the preamble; `undefined` until it is there. Throws `MalformedFrame` as soon as it cannot be one. */
export const takePreamble = (reader: FrameReader): Versions | undefined => {
  const beginning = reader.peek().subarray(0, 24)
  if (beginning[0] === clientHello) {
    throw new MalformedFrame({ detail: "the beginning of a TLS connection, and this end takes plain text" })
  }
  if (!magic.every((byte, at) => at >= beginning.byteLength || beginning[at] === byte)) {
    const text = printable(Buffer.from(beginning).toString("latin1"))
    throw new MalformedFrame({ detail: `"${text}" as its first bytes, which is not the client protocol` })
  }
  const bytes = reader.takeRaw(preambleBytes)
  if (bytes === undefined) return undefined
  return { oldest: bytes[magic.byteLength]!, newest: bytes[magic.byteLength + 1]! }
}

export const versionRefusal = (theirs: Versions): string =>
  `client protocol ${showVersions(ourVersions)} is spoken here, the client speaks ${showVersions(theirs)}; update the older of the two`

// --- frames -------------------------------------------------------------------------------------------

/** What the client wants. */
export interface Hello {
  readonly clusterId: ClusterId
  readonly groupId: GroupId
}

export const encodeHello = (writer: FrameWriter, { clusterId, groupId }: Hello): void => {
  writer.begin(frameTypes.Hello, textBytes(clusterId) + textBytes(groupId))
  writer.text(clusterId)
  writer.text(groupId)
}

/** Reads a hello; throws `MalformedFrame`. What a later version adds at its end is left alone. */
export const decodeHello = (reader: FrameReader): Hello => {
  expectType(reader, frameTypes.Hello)
  return { clusterId: nameIn(reader, ClusterId), groupId: nameIn(reader, GroupId) }
}

export const encodeWelcome = (writer: FrameWriter, version: number, welcome: Welcome): void => {
  const { clusterId, groupId, maxInFlight, nodeId } = welcome
  const leaderAt = welcome.leaderAt ?? ""
  const texts = [clusterId, groupId, nodeId, leaderAt]
  writer.begin(
    frameTypes.Welcome,
    texts.reduce((sum, text) => sum + textBytes(text), 5)
  )
  writer.byte(version)
  writer.uint32(maxInFlight)
  for (const text of texts) writer.text(text)
}

export const encodeRefuse = (writer: FrameWriter, reason: string): void => {
  writer.begin(frameTypes.Refuse, textBytes(reason))
  writer.text(reason)
}

/** What the node answered. */
export type Answer =
  | { readonly _tag: "Welcome"; readonly version: number; readonly welcome: Welcome }
  | { readonly _tag: "Refuse"; readonly reason: string }

/** Reads the answer to a hello; throws `MalformedFrame`. */
export const decodeAnswer = (reader: FrameReader): Answer => {
  if (reader.type === frameTypes.Refuse) return { _tag: "Refuse", reason: printable(reader.text()) }
  expectType(reader, frameTypes.Welcome)
  const version = reader.byte()
  const maxInFlight = reader.uint32()
  const clusterId = nameIn(reader, ClusterId)
  const groupId = nameIn(reader, GroupId)
  const nodeId = nameIn(reader, NodeId)
  const leaderAt = reader.text()
  return {
    _tag: "Welcome",
    version,
    welcome: { clusterId, groupId, nodeId, maxInFlight, leaderAt: leaderAt === "" ? null : leaderAt }
  }
}

const expectType = (reader: FrameReader, type: number): void => {
  if (reader.type !== type)
    throw new MalformedFrame({ detail: `a frame of type ${reader.type} during the handshake` })
}
