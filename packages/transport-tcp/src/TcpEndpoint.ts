/**
 * One node's end of the network: its links, by peer.
 */
import type { PeerAddress } from "@effect-raft/core/Membership"
import type { NodeId } from "@effect-raft/core/NodeId"
import { InvalidAddress, TransportError } from "@effect-raft/core/RaftTransport"
import type { Endpoint, EndpointOptions } from "@effect-raft/core/RaftTransport"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as FiberSet from "effect/FiberSet"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Address from "./Address.ts"
import type { Callee, Hello } from "./Handshake.ts"
import * as Handshake from "./Handshake.ts"
import type { Introduced } from "./Introduction.ts"
import type { ConnectionLost } from "./PeerError.ts"
import { PeerLink } from "./PeerLink.ts"
import type { Security } from "./Security.ts"
import type { TcpSettings } from "./TcpTransport.ts"

/** An endpoint as the listener sees it. */
export interface TcpEndpoint extends Endpoint {
  readonly callee: Callee
  readonly attributes: Handshake.Attributes
  /** Why a caller is not let in, if it is not. */
  readonly refusalOf: (hello: Hello) => string | undefined
  /** Carries messages with a caller that was let in, until the connection breaks. */
  readonly carry: (hello: Hello, introduced: Introduced) => Effect.Effect<void>
}

/** Opens a node's links. All of them are gone when the scope closes. */
export const make: (options: {
  readonly endpoint: EndpointOptions
  readonly tcp: TcpSettings
  readonly security: Security
  readonly warn: (words: string) => Effect.Effect<void>
}) => Effect.Effect<TcpEndpoint, TransportError, Scope.Scope> = Effect.fnUntraced(function* ({
  endpoint,
  security,
  tcp,
  warn
}) {
  const { clusterId, groupId, handler, nodeId } = endpoint
  const attributes = endpoint.attributes ?? {}
  const links = new Map<NodeId, PeerLink>()
  const dialling = yield* FiberMap.make<NodeId>()
  const accepted = yield* FiberSet.make<void, ConnectionLost>()
  const reconciling = yield* Semaphore.make(1)
  let peers = new Map<NodeId, Address.HostPort>()

  const makeLink = (peer: NodeId): PeerLink => {
    const link = new PeerLink(
      {
        peer,
        hello: { clusterId, groupId, from: nodeId, to: peer, attributes },
        handler,
        tcp,
        security,
        warn,
        onIdle: (idle) => {
          if (!peers.has(peer) && links.get(peer) === idle) links.delete(peer)
        }
      },
      peers.get(peer)
    )
    links.set(peer, link)
    return link
  }

  const closeLink = (peer: NodeId) => {
    links.get(peer)?.close()
    links.delete(peer)
  }

  // --- the peers --------------------------------------------------------------------------------------

  const open = (peer: NodeId, address: Address.HostPort) => {
    const link = links.get(peer) ?? makeLink(peer)
    link.address = address
    return FiberMap.run(dialling, peer, link.keepDialling(address))
  }

  const reconcile = Effect.fnUntraced(function* (wanted: Map<NodeId, Address.HostPort>) {
    const before = peers
    const gone = Array.from(before.keys()).filter((peer) => !sameAddress(before.get(peer), wanted.get(peer)))
    peers = wanted
    for (const peer of gone) closeLink(peer)
    yield* Effect.forEach(gone, (peer) => FiberMap.remove(dialling, peer), { discard: true })
    const added = Array.from(wanted).filter(([peer, address]) => !sameAddress(before.get(peer), address))
    yield* Effect.forEach(added, ([peer, address]) => open(peer, address), { discard: true })
  })

  const setPeers = (addresses: ReadonlyMap<NodeId, PeerAddress>) =>
    Effect.flatMap(Effect.fromResult(parseAll(nodeId, addresses)), (wanted) =>
      reconciling.withPermits(1)(Effect.uninterruptible(reconcile(wanted)))
    )

  // --- callers ----------------------------------------------------------------------------------------

  const callee = { clusterId, groupId, nodeId }

  const refusalOf = (hello: Hello): string | undefined => {
    const refusal = Handshake.refusalOf(hello, callee)
    if (refusal !== undefined || tcp.strangers === "accept" || peers.has(hello.from)) return refusal
    return `node ${hello.from} is not among the peers of node ${nodeId}`
  }

  const carry = Effect.fnUntraced(function* (hello: Hello, introduced: Introduced) {
    const link = links.get(hello.from) ?? makeLink(hello.from)
    link.attributes = hello.attributes
    yield* Fiber.await(yield* FiberSet.run(accepted, link.carry(introduced, false)))
  })

  yield* setPeers(endpoint.peers)
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      for (const peer of Array.from(links.keys())) closeLink(peer)
    })
  )
  return {
    callee,
    attributes,
    refusalOf,
    carry,
    setPeers,
    send: (to, message) => links.get(to)?.send(message) ?? false,
    problemWith: (address) => {
      const parsed = Address.parse(address)
      return typeof parsed === "string" ? parsed : undefined
    },
    attributesOf: (peer) => links.get(peer)?.attributes ?? {}
  }
})

const sameAddress = (one: Address.HostPort | undefined, other: Address.HostPort | undefined): boolean =>
  one?.host === other?.host && one?.port === other?.port

/** All addresses but our own, or what is wrong with the first that cannot be read. */
const parseAll = (
  self: NodeId,
  addresses: ReadonlyMap<NodeId, PeerAddress>
): Result.Result<Map<NodeId, Address.HostPort>, TransportError> => {
  const parsed = new Map<NodeId, Address.HostPort>()
  for (const [nodeId, address] of addresses) {
    if (nodeId === self) continue
    const target = Address.parse(address)
    if (typeof target === "string") {
      return Result.fail(
        new TransportError({ reason: new InvalidAddress({ nodeId, address, detail: target }) })
      )
    }
    parsed.set(nodeId, target)
  }
  return Result.succeed(parsed)
}
