/** The client over real sockets, with each HTTP client that it may be given. */
import { because, NoLeader, OutcomeUnknown } from "@effect-raft/core/RaftError"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { createServer } from "node:http"
import * as Net from "node:net"
import { getText, Kv, putText } from "../src/Kv.ts"
import * as KvClient from "../src/KvClient.ts"
import * as KvServer from "../src/KvServer.ts"
import * as FakeRaft from "./support/FakeRaft.ts"

describe.each([
  ["fetch", FetchHttpClient.layer],
  ["undici", NodeHttpClient.layerUndici],
  ["node:http", NodeHttpClient.layerNodeHttp]
] as const)("over sockets, with %s", (_, httpClient) => {
  const withCluster = <A, E>(
    test: (context: { readonly raft: FakeRaft.FakeRaft }) => Effect.Effect<A, E, Kv>
  ) => {
    const raft = FakeRaft.make()
    const server = KvServer.layer().pipe(
      Layer.provide(Kv.layer),
      Layer.provide(raft.layer),
      Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 }))
    )
    const client = Layer.unwrap(
      Effect.gen(function* () {
        const { address } = yield* HttpServer.HttpServer
        const port = "port" in address ? address.port : assert.fail("no TCP address")
        const closed = yield* closedPort
        return KvClient.layer({
          endpoints: [`http://127.0.0.1:${closed}`, `http://127.0.0.1:${port}`]
        })
      })
    )
    return test({ raft }).pipe(Effect.provide(client.pipe(Layer.provide(httpClient), Layer.provide(server))))
  }

  it.live("a write passes over a node that is down; every byte and awkward key arrives", () =>
    withCluster(({ raft }) =>
      Effect.gen(function* () {
        const kv = yield* Kv
        const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte)
        assert.strictEqual(yield* kv.put("a/b?c#d%2F e", everyByte), 1)
        assert.deepStrictEqual(yield* kv.get("a/b?c#d%2F e"), Option.some({ value: everyByte, revision: 1 }))
        assert.strictEqual(yield* putText("empty", ""), 2)
        assert.deepStrictEqual(yield* getText("empty", { consistency: "stale" }), Option.some(""))
        assert.deepStrictEqual(yield* getText("empty", { consistency: "lease" }), Option.some(""))
        assert.deepStrictEqual(raft.reads, ["linearizable", "stale", "lease"])
        assert.deepStrictEqual(yield* kv.compareAndSet("empty", { expected: 2, value: everyByte }), {
          swapped: true,
          revision: 3
        })
        assert.isTrue(yield* kv.delete("empty", { ifMatch: 3 }))
        assert.isFalse(yield* kv.delete("empty"))
      })
    )
  )

  it.live("what the node says of a failed write is what the caller hears", () =>
    withCluster(({ raft }) =>
      Effect.gen(function* () {
        const kv = yield* Kv
        raft.failWith = because(new OutcomeUnknown({ detail: "the leader was lost" }))
        const unknown = yield* Effect.flip(kv.put("a", new Uint8Array()))
        assert.strictEqual(unknown.outcome, "unknown")
        assert.strictEqual(unknown.message, "The outcome is unknown: the leader was lost")
        raft.failWith = undefined
        yield* kv.put("a", new Uint8Array())
        const condition = yield* Effect.flip(kv.put("a", new Uint8Array(), { ifAbsent: true }))
        assert.strictEqual(condition.reason._tag, "ConditionFailed")
      })
    )
  )

  it.live("a write goes through once the cluster has a leader again", () =>
    withCluster(({ raft }) =>
      Effect.gen(function* () {
        const kv = yield* Kv
        raft.failWith = because(new NoLeader({ waitedMillis: 1 }))
        const writing = yield* Effect.forkChild(kv.put("a", new Uint8Array()))
        yield* Effect.forkChild(
          Effect.sync(() => {
            raft.failWith = undefined
          }).pipe(Effect.delay("20 millis"))
        )
        assert.strictEqual(yield* Fiber.join(writing), 1)
        assert.deepStrictEqual(raft.commands, ["Put a"])
      })
    )
  )
})

it.live("a port that fetch does not dial: nothing was sent, and the message says so", () =>
  Effect.gen(function* () {
    const error = yield* Kv.use((kv) => kv.put("a", new Uint8Array())).pipe(
      Effect.provide(
        KvClient.layer({ endpoints: ["http://127.0.0.1:6667"], timeoutMillis: 100 }).pipe(
          Layer.provide(FetchHttpClient.layer)
        )
      ),
      Effect.flip
    )
    assert.include(error.message, "http://127.0.0.1:6667: fetch does not dial this port")
    assert.strictEqual(error._tag === "KvError" ? error.outcome : undefined, "none")
  })
)

/** A port on which nobody listens. */
const closedPort: Effect.Effect<number> = Effect.callback((resume) => {
  const server = Net.createServer().listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})
