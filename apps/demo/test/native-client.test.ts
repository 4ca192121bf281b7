/** The commands over the native protocol, `raft://HOST:PORT`, against nodes that are processes. */
import { describe, expect } from "@effect/vitest"
import { Kv } from "@effect-raft/kv/Kv"
import * as KvClient from "@effect-raft/kv/KvClient"
import * as TcpClientTransport from "@effect-raft/transport-tcp/TcpClientTransport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Command from "./Command.ts"
import { scenario } from "./Command.ts"
import * as InProcess from "./InProcess.ts"
import * as Serving from "./Serving.ts"

const writers = 16
const writesOfWriter = 40

const bytes = Uint8Array.from({ length: 256 }, (_, at) => at)

/** Starts nodes that listen for native clients too. */
const serveAll = Effect.fnUntraced(function* (count: number) {
  const places = yield* Serving.places(count)
  return yield* Effect.forEach(places, (place) =>
    Effect.gen(function* () {
      const address = `127.0.0.1:${place.clientsPort}`
      const running = yield* Command.start(["serve", ...place.flags, "--clients", address])
      yield* running.says(new RegExp(`^node ${place.id} ready: .*, clients at ${address}$`, "m"))
      return { ...running, place, address }
    })
  )
})

describe("the commands over the native protocol", () => {
  scenario("do what they do over HTTP, and tell by their exit code", () =>
    Effect.gen(function* () {
      const nodes = yield* serveAll(3)
      const [first] = nodes
      for (const { address } of nodes) {
        const client = (args: ReadonlyArray<string>, stdin?: Uint8Array) =>
          InProcess.run([...args, "--endpoint", `raft://${address}`], stdin)
        expect((yield* client(["put", "a key", "-"], bytes)).said).toEqual([
          expect.stringMatching(/^revision \d+$/)
        ])
        expect((yield* client(["get", "a key"])).bytes).toEqual(Buffer.from(bytes))
        expect((yield* client(["get", "a key", "--consistency", "stale"])).code).toBe(0)
        expect((yield* client(["cas", "a key", "1", "--absent"])).code).toBe(1)
        expect((yield* client(["delete", "a key"])).said).toEqual(["deleted"])
        expect((yield* client(["get", "a key"])).code).toBe(1)
      }
      const foreign = yield* InProcess.run(["get", "k", "-e", `raft://${first!.address}/other`])
      expect([foreign.code, foreign.complained.join()]).toEqual([
        3,
        expect.stringContaining("belongs to cluster effect-raft, the client wants cluster other")
      ])
      const mixed = yield* InProcess.run(["get", "k", "-e", `raft://${first!.address},${first!.place.url}`])
      expect([mixed.code, mixed.complained.join()]).toEqual([2, expect.stringContaining("of one kind")])
      const noStatus = yield* InProcess.run(["status", "-e", `raft://${first!.address}`])
      expect([noStatus.code, noStatus.complained.join()]).toEqual([
        2,
        expect.stringContaining("HTTP addresses")
      ])
    })
  )

  scenario("a client goes on when the leader is killed, and nothing that was answered is lost", () =>
    Effect.gen(function* () {
      const { answered, asked, failed } = yield* writeWhileTheLeaderDies({ exactlyOnce: false })
      expect(answered).toBeGreaterThan((asked * 3) / 4)
      expect(failed).toEqual(Array.from(failed, () => "OutcomeUnknown"))
    })
  )

  scenario("with sessions it leaves nothing open: every write is answered", () =>
    Effect.gen(function* () {
      const { answered, asked, failed } = yield* writeWhileTheLeaderDies({ exactlyOnce: true })
      expect([answered, failed]).toEqual([asked, []])
    })
  )
})

/** 16 writers on one client; the leader is killed under them. Fails if anything that was answered is lost. */
const writeWhileTheLeaderDies = Effect.fnUntraced(function* (options: { readonly exactlyOnce: boolean }) {
  const nodes = yield* serveAll(3)
  const endpoints = nodes.map(({ address }) => address)
  const client = KvClient.layerNative({ endpoints, ...options }).pipe(
    Layer.provide(TcpClientTransport.layer())
  )
  return yield* Effect.gen(function* () {
    const kv = yield* Kv
    yield* kv.put("first", bytes)
    const leader = yield* leaderOf(nodes)
    const written: Array<string> = []
    const failed: Array<string> = []
    const write = (writer: number) =>
      Effect.gen(function* () {
        for (let i = 0; i < writesOfWriter; i++) {
          const key = `${writer}/${i}`
          const outcome = yield* Effect.result(kv.put(key, bytes))
          if (Result.isSuccess(outcome)) written.push(key)
          else failed.push(outcome.failure.reason._tag)
          if (writer === 0 && i === 10) leader.kill("SIGKILL")
        }
      })
    yield* Effect.forEach(
      Array.from({ length: writers }, (_, writer) => writer),
      write,
      { concurrency: "unbounded" }
    )
    for (const key of written) expect((yield* kv.get(key))._tag).toBe("Some")
    return { answered: written.length, asked: writers * writesOfWriter, failed }
  }).pipe(Effect.provide(client))
})

const leaderOf = Effect.fnUntraced(function* (nodes: Effect.Success<ReturnType<typeof serveAll>>) {
  const answer = yield* InProcess.run(["status", "--json", "-e", nodes[0]!.place.url])
  const [{ status }] = JSON.parse(answer.said.join("\n")) as [{ status: { leader: string } }]
  return nodes.find(({ place }) => place.id === status.leader)!
})
