/** `GET /backup` over a real loopback socket: what it gives, and that nobody can hold on to it for ever. */
import * as Backup from "@effect-raft/core/Backup"
import { NoLeader, because } from "@effect-raft/core/RaftError"
import * as StateMachine from "@effect-raft/core/StateMachine"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import * as Digest from "effect/crypto/Digest"
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { createServer } from "node:http"
import { Kv } from "../src/Kv.ts"
import * as KvBackups from "../src/KvBackups.ts"
import { KvMachine } from "../src/KvMachine.ts"
import * as KvServer from "../src/KvServer.ts"
import * as FakeRaft from "./support/FakeRaft.ts"
import * as HttpProbe from "./support/HttpProbe.ts"

const serving = (raft: FakeRaft.FakeRaft) =>
  KvServer.layer().pipe(
    Layer.provideMerge(Kv.layer),
    Layer.provide(raft.layer),
    Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 }))
  )

const ask = (path: string) =>
  Effect.gen(function* () {
    const { address } = yield* HttpServer.HttpServer
    return yield* HttpProbe.ask({ port: "port" in address ? address.port : 0, path })
  })

/** The machine that a backup restores. */
const restored = (bytes: Stream.Stream<Uint8Array, unknown>) =>
  Effect.gen(function* () {
    const backup = yield* Backup.open(bytes)
    const instance = KvMachine.machine.make()
    StateMachine.restoreFrom(instance, yield* Stream.runCollect(backup.contents))
    return { header: backup.header, view: instance.view() }
  }).pipe(Effect.scoped, Effect.provide(Digest.layerWebCrypto))

describe("GET /backup", () => {
  it.live("gives every key, value and revision, and says whose they are", () => {
    const raft = FakeRaft.make()
    return Effect.gen(function* () {
      const kv = yield* Kv
      const large = new Uint8Array(700_000).fill(7)
      yield* kv.put("large", large)
      const revision = yield* kv.put("small", Uint8Array.of(1, 2))
      const answer = yield* ask("/backup")
      assert.strictEqual(answer.status, 200)
      assert.strictEqual(answer.headers["content-type"], "application/vnd.effect-raft.backup")
      const { header, view } = yield* restored(Stream.succeed(answer.bytes))
      assert.strictEqual(header.clusterId, "test")
      assert.strictEqual(header.machine, "effect-raft/kv/KvMachine")
      assert.strictEqual(header.snapshot.lastIndex, revision)
      assert.strictEqual(view.size, 2)
      assert.deepStrictEqual(Uint8Array.from(view.get("large")?.value ?? []), large)
      assert.strictEqual(view.get("small")?.revision, revision)
    }).pipe(Effect.provide(serving(raft)))
  })

  it.live("is refused by a node that cannot tell what is true now, and by none that can later", () => {
    const raft = FakeRaft.make()
    return Effect.gen(function* () {
      raft.failWith = because(new NoLeader({ waitedMillis: 3_000 }))
      const refused = yield* ask("/backup")
      assert.strictEqual(refused.status, 503)
      assert.propertyVal(refused.json, "reason", "NoLeader")
      raft.failWith = undefined
      assert.strictEqual((yield* ask("/backup")).status, 200)
    }).pipe(Effect.provide(serving(raft)))
  })
})

describe("backups of a node", () => {
  const bodyOf = (response: HttpServerResponse.HttpServerResponse) =>
    response.body._tag === "Stream" ? response.body.stream : assert.fail("no stream")

  const withBackups = <A, E>(use: (backups: KvBackups.KvBackups, kv: Kv["Service"]) => Effect.Effect<A, E>) =>
    Effect.gen(function* () {
      return yield* use(yield* KvBackups.make(yield* KvMachine.Raft), yield* Kv)
    }).pipe(Effect.scoped, Effect.provide(Layer.provideMerge(Kv.layer, FakeRaft.make().layer)))

  it.effect("are taken one at a time, and the next when one has ended", () =>
    withBackups((backups) =>
      Effect.gen(function* () {
        const first = yield* backups.take
        const refused = yield* Effect.flip(backups.take)
        assert.include(refused.message, "another backup of this node is under way")
        yield* Stream.runDrain(bodyOf(first))
        yield* backups.take
      })
    )
  )

  it.effect("show the moment they were taken at, however late they are read", () =>
    withBackups((backups, kv) =>
      Effect.gen(function* () {
        yield* kv.put("key", Uint8Array.of(1))
        const taken = yield* backups.take
        yield* kv.put("key", Uint8Array.of(2))
        yield* kv.put("new", Uint8Array.of(3))
        const { view } = yield* restored(bodyOf(taken))
        assert.strictEqual(view.size, 1)
        assert.deepStrictEqual(Uint8Array.from(view.get("key")?.value ?? []), Uint8Array.of(1))
      })
    )
  )

  it.effect("are let go when their reader stands still, and then fail rather than end early", () =>
    withBackups((backups, kv) =>
      Effect.gen(function* () {
        yield* kv.put("key", new Uint8Array(600_000))
        const abandoned = yield* backups.take
        yield* TestClock.adjust(KvBackups.patienceMillis)
        yield* backups.take
        const failure = yield* Effect.flip(Stream.runDrain(bodyOf(abandoned)))
        assert.propertyVal(failure, "_tag", "ReaderTooSlow")
      })
    )
  )

  it.effect("are not let go while their reader takes a piece now and then", () =>
    withBackups((backups, kv) =>
      Effect.gen(function* () {
        yield* kv.put("key", new Uint8Array(600_000))
        const pull = yield* Stream.toPull(bodyOf(yield* backups.take))
        for (let pieces = 0; pieces < 3; pieces++) {
          yield* pull
          yield* TestClock.adjust(KvBackups.patienceMillis - 1)
        }
        yield* Effect.flip(backups.take)
      }).pipe(Effect.scoped)
    )
  )
})
