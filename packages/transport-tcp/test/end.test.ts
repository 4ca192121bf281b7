/**
 * Whether anything is left when it is over.
 */
import { assert, describe, it } from "@effect/vitest"
import type { NodeId } from "@effect-raft/core/NodeId"
import type { RaftMessage } from "@effect-raft/core/RaftMessage"
import { Term } from "@effect-raft/core/Term"
import * as TcpTransport from "@effect-raft/transport-tcp/TcpTransport"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import { a, b, message, openNode, dialRaw, serveRaw, hello, anyPort, frameOf } from "./support/Peers.ts"

describe("the end", () => {
  /** Sockets and servers of this process that are not closed yet. */
  const openHandles = () => process.getActiveResourcesInfo().filter((name) => name.startsWith("TCP"))

  const noHandles = Effect.gen(function* () {
    while (openHandles().length > 0) yield* Effect.yieldNow
  }).pipe(Effect.timeout("5 seconds"))

  it.live("comes at once and leaves nothing, even with peers that never read", () =>
    Effect.gen(function* () {
      yield* noHandles
      yield* Effect.gen(function* () {
        const stuck = yield* serveRaw(({ socket }) => socket.pause())
        const listen = yield* Effect.gen(function* () {
          const one = yield* TcpTransport.make(anyPort)
          const other = yield* TcpTransport.make(anyPort)
          const peers = { a: one.address, b: other.address, c: stuck, d: "127.0.0.1:1" }
          const node = yield* openNode(one, a, peers)
          const peer = yield* openNode(other, b, peers)
          node.send(b, message(1))
          yield* Queue.take(peer.received)
          return one.address
        }).pipe(Effect.scoped)

        const site = yield* Scope.make()
        const node = yield* Effect.flatMap(TcpTransport.make({ listen }), (one) => openNode(one, a, {})).pipe(
          Scope.provide(site)
        )
        const reader = yield* dialRaw(listen, hello())
        reader.socket.pause()
        while (!node.send(b, large)) yield* Effect.yieldNow
        while (node.send(b, large)) yield* Effect.yieldNow
        yield* Scope.close(site, Exit.void)
      }).pipe(Effect.scoped)
      yield* noHandles
    })
  )

  it.live("is silent: what came in the same packet as the cause is not handed over any more", () =>
    Effect.gen(function* () {
      const site = yield* TcpTransport.make(anyPort)
      const scope = yield* Scope.make()
      const received: Array<RaftMessage> = []
      const handler = {
        onMessage: (_from: NodeId, message: RaftMessage) => {
          received.push(message)
          Effect.runFork(Scope.close(scope, Exit.void))
        },
        onPeerLost: () => {}
      }
      yield* openNode(site, a, {}, { handler }).pipe(Scope.provide(scope))
      const peer = yield* dialRaw(
        site.address,
        Buffer.concat([hello(), frameOf(message(1)), frameOf(message(2))])
      )
      yield* peer.closed
      assert.deepStrictEqual(received, [message(1)])
    })
  )
})

/** Eight megabytes, more than a socket that is not read takes. */
const large: RaftMessage = {
  _tag: "ForwardProposals",
  term: Term.make(1),
  requestIds: [1],
  kinds: ["Command"],
  commands: [new Uint8Array(8 * 1024 * 1024)]
}
