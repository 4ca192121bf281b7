/**
 * Raft peers over Maelstrom's network: a message is the body of a line, as JSON.
 *
 * The network behind it loses, delays and reorders, which is all that Raft allows a network to do. It has
 * no connections: so nobody is ever reported lost, and nothing is told about a peer before it speaks.
 */
import * as LogEntry from "@effect-raft/core/LogEntry"
import * as LogIndex from "@effect-raft/core/LogIndex"
import type { NodeId } from "@effect-raft/core/NodeId"
import { RaftMessage } from "@effect-raft/core/RaftMessage"
import { ListenFailed, RaftTransport, TransportError } from "@effect-raft/core/RaftTransport"
import type { Endpoint, EndpointOptions } from "@effect-raft/core/RaftTransport"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Message from "./Message.ts"

export interface MaelstromTransport {
  /** For the one node of this process. */
  readonly transport: RaftTransport["Service"]
  /** Takes a body of the type {@link Message.peerType}; what is wrong with it, or nothing. */
  readonly receive: (from: string, body: Message.Body) => string | undefined
}

const codec = Schema.toCodecJson(RaftMessage)
const encode = Schema.encodeSync(codec)
const decode = Schema.decodeUnknownResult(codec)

/** A transport that speaks through `send`, which answers whether it took the message. */
export const make = (send: (message: Message.Envelope) => boolean): MaelstromTransport => {
  let station: EndpointOptions | undefined

  const enter = (options: EndpointOptions): Effect.Effect<EndpointOptions, TransportError> =>
    Effect.suspend(() => {
      if (station !== undefined) return Effect.fail(nameTaken(options.nodeId, station.nodeId))
      station = options
      return Effect.succeed(options)
    })

  const leave = Effect.sync(() => {
    station = undefined
  })

  const endpointOf = (self: EndpointOptions): Endpoint => {
    const isOpen = () => station !== undefined && station.handler === self.handler
    return {
      send: (to, message) =>
        isOpen() &&
        to !== self.nodeId &&
        station?.peers.has(to) === true &&
        send({ src: self.nodeId, dest: to, body: { type: Message.peerType, message: encode(message) } }),
      setPeers: (peers) =>
        Effect.sync(() => {
          if (isOpen()) station = { ...self, peers }
        }),
      problemWith: () => undefined,
      attributesOf: () => ({})
    }
  }

  const receive = (from: string, body: Message.Body): string | undefined => {
    const peer = from as NodeId
    // Before `open` and after the end the node is not there, as far as its peers can tell.
    if (station === undefined) return undefined
    if (!station.peers.has(peer) || peer === station.nodeId) return `${from} is not a peer`
    const decoded = decode(body["message"])
    if (Result.isFailure(decoded)) return decoded.failure.message
    const problem = problemOf(decoded.success)
    if (problem === undefined) station.handler.onMessage(peer, decoded.success)
    return problem
  }

  return {
    transport: RaftTransport.of({
      open: (options) =>
        Effect.map(
          Effect.acquireRelease(enter(options), () => leave),
          endpointOf
        )
    }),
    receive
  }
}

/** The rule of an append that its schema does not tell: its blocks follow one another. */
const problemOf = (message: RaftMessage): string | undefined => {
  if (message._tag !== "AppendEntries") return undefined
  let next = LogIndex.plus(message.prevLogIndex, 1)
  for (const block of message.blocks) {
    if (block.firstIndex !== next) return `a block begins at index ${block.firstIndex} where ${next} is next`
    next = LogIndex.plus(LogEntry.lastIndex(block), 1)
  }
  return undefined
}

const nameTaken = (wanted: NodeId, present: NodeId): TransportError =>
  new TransportError({
    reason: new ListenFailed({ address: wanted, detail: `${present} speaks for this process already` })
  })
