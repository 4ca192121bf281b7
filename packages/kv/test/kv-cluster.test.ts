/**
 * The whole service on a real cluster: three nodes in this process, each with its HTTP API on a socket
 * of its own, and the client that goes from one to the other.
 */
import * as MemoryStorage from "@effect-raft/core/MemoryStorage"
import * as MemoryTransport from "@effect-raft/core/MemoryTransport"
import * as Raft from "@effect-raft/core/Raft"
import { RaftTransport } from "@effect-raft/core/RaftTransport"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { createServer } from "node:http"
import { getText, Kv, putText } from "../src/Kv.ts"
import * as KvClient from "../src/KvClient.ts"
import { KvMachine } from "../src/KvMachine.ts"
import * as KvServer from "../src/KvServer.ts"
import * as HttpProbe from "./support/HttpProbe.ts"

const members = { n1: "n1", n2: "n2", n3: "n3" }

interface Node {
  readonly name: string
  readonly port: number
  readonly raft: (typeof KvMachine.Raft)["Service"]
  /** Stops the node and its HTTP API. */
  readonly stop: Effect.Effect<void>
}

/** One node with everything it serves; the port is known before the node starts, for its peers. */
const nodeLayer = (name: string, transport: RaftTransport["Service"]) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const { address } = yield* HttpServer.HttpServer
      const url = "port" in address ? `http://127.0.0.1:${address.port}` : assert.fail("no TCP address")
      return KvServer.layer({ url }).pipe(
        Layer.provide(Kv.layer),
        Layer.provideMerge(
          Raft.layer(KvMachine, {
            nodeId: name,
            members,
            attributes: { http: url },
            config: { electionTimeoutMillis: 400, heartbeatIntervalMillis: 50, requestTimeoutMillis: 1000 }
          })
        ),
        Layer.provide([Layer.succeed(RaftTransport, transport), MemoryStorage.layer])
      )
    })
  ).pipe(Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 })))

const start = (name: string, transport: RaftTransport["Service"]) =>
  Effect.gen(function* () {
    const scope = yield* Scope.fork(yield* Effect.scope)
    const context = yield* Layer.buildWithScope(Layer.fresh(nodeLayer(name, transport)), scope)
    const { address } = Context.get(context, HttpServer.HttpServer)
    const port = "port" in address ? address.port : assert.fail("no TCP address")
    const raft = Context.get(context, KvMachine.Raft)
    return { name, port, raft, stop: Scope.close(scope, Exit.void) } satisfies Node
  })

const startAll = Effect.gen(function* () {
  const transport = yield* MemoryTransport.make
  const nodes: ReadonlyArray<Node> = yield* Effect.forEach(Object.keys(members), (name) =>
    start(name, transport)
  )
  yield* Effect.forEach(nodes, ({ raft }) => awaitLeader(raft), { discard: true })
  return nodes
})

const awaitLeader = (raft: Node["raft"]) =>
  raft.leader.pipe(
    Stream.filter((leader) => leader !== null),
    Stream.runHead,
    Effect.map(Option.getOrThrow)
  )

const clientOf = (nodes: ReadonlyArray<Node>) =>
  KvClient.layer({ endpoints: nodes.map(({ port }) => `http://127.0.0.1:${port}`) }).pipe(
    Layer.provide(FetchHttpClient.layer)
  )

describe("a cluster", () => {
  it.live("answers any request at any node", () =>
    Effect.gen(function* () {
      const nodes = yield* startAll
      for (const { name, port } of nodes) {
        const put = yield* HttpProbe.ask({ port, method: "PUT", path: "/kv/written-by", body: name })
        assert.strictEqual(put.status, 200)
        for (const reader of nodes) {
          const got = yield* HttpProbe.ask({ port: reader.port, path: "/kv/written-by" })
          assert.deepStrictEqual([got.text, got.headers.etag], [name, put.headers.etag])
        }
      }
    }).pipe(Effect.scoped)
  )

  it.live("every node tells where the others serve, and a follower names the leader", () =>
    Effect.gen(function* () {
      const nodes = yield* startAll
      const urls = new Map(nodes.map(({ name, port }) => [name, `http://127.0.0.1:${port}`] as const))
      for (const { port } of nodes) {
        const status = (yield* HttpProbe.ask({ port, path: "/status" })).json as {
          node: string
          leader: string
          members: ReadonlyArray<{ id: string; http: string }>
        }
        assert.deepStrictEqual(
          status.members.map(({ http, id }) => [id, http]),
          Array.from(urls)
        )
        const { headers } = yield* HttpProbe.ask({ port, path: "/kv/a" })
        const expected = status.node === status.leader ? undefined : urls.get(status.leader)
        assert.strictEqual(headers["raft-leader"], expected)
      }
    }).pipe(Effect.scoped)
  )

  it.live("a client goes on when the leader stops, and what was written stays", () =>
    Effect.gen(function* () {
      const nodes = yield* startAll
      yield* Effect.gen(function* () {
        const before = yield* putText("a", "before")
        const leader = yield* awaitLeader(nodes[0]!.raft)
        yield* nodes.find(({ name }) => name === leader)!.stop
        // Reads may always be tried again: this one finds its way whoever leads now.
        assert.deepStrictEqual(yield* getText("a"), Option.some("before"))
        const revision = yield* putText("a", "after", { ifMatch: before })
        assert.isAbove(revision, before)
        assert.deepStrictEqual(yield* getText("a"), Option.some("after"))
      }).pipe(Effect.provide(clientOf(nodes)))
    }).pipe(Effect.scoped)
  )

  it.live("without a majority a write answers 503 or 504, never success, and stale reads go on", () =>
    Effect.gen(function* () {
      const [one, two, three] = yield* startAll
      yield* HttpProbe.ask({ port: one!.port, method: "PUT", path: "/kv/a", body: "kept" })
      yield* HttpProbe.ask({ port: one!.port, path: "/kv/a" })
      yield* two!.stop
      yield* three!.stop
      const write = yield* HttpProbe.ask({ port: one!.port, method: "PUT", path: "/kv/a", body: "lost" })
      assert.oneOf(write.status, [503, 504])
      assert.strictEqual((yield* HttpProbe.ask({ port: one!.port, path: "/kv/a" })).status, 503)
      const stale = yield* HttpProbe.ask({ port: one!.port, path: "/kv/a?consistency=stale" })
      assert.strictEqual(stale.text, "kept")
      assert.strictEqual((yield* HttpProbe.ask({ port: one!.port, path: "/health" })).status, 503)
    }).pipe(Effect.scoped)
  )
})
