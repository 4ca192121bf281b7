/** Three `serve` processes by hand: what they store is everywhere, and stays, whoever is killed. */
import { describe, expect } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import { Status } from "@effect-raft/kv/KvApi"
import { scenario } from "./Command.ts"
import type { Running } from "./Command.ts"
import * as Http from "./Http.ts"
import * as Serving from "./Serving.ts"

interface Node {
  readonly place: Serving.Place
  readonly running: Running
}

const startAll = (places: ReadonlyArray<Serving.Place>) =>
  Effect.forEach(
    places,
    (place) => Effect.map(Serving.serve(place), (running): Node => ({ place, running })),
    {
      concurrency: "unbounded"
    }
  )

const statusOf = (node: Node) =>
  Http.request("GET", `${node.place.url}/status`).pipe(
    Effect.flatMap(({ text }) => Schema.decodeEffect(Schema.fromJsonString(Status))(text))
  )

/** The node that leads, as soon as there is one among these. */
const leaderOf = Effect.fnUntraced(function* (nodes: ReadonlyArray<Node>) {
  while (true) {
    const statuses = yield* Effect.forEach(nodes, statusOf)
    const leader = nodes.find((_, at) => statuses[at]?.role === "Leader")
    if (leader !== undefined) return leader
    yield* Effect.sleep(20)
  }
})

const kill = (node: Node) =>
  Effect.suspend(() => {
    node.running.kill("SIGKILL")
    return node.running.ended
  })

interface Written {
  readonly key: string
  readonly acknowledgedMillis: number
}

/** Puts one key after another through these nodes in turn, and remembers those that were acknowledged. */
const writeForEver = Effect.fnUntraced(function* (nodes: ReadonlyArray<Node>, acknowledged: Array<Written>) {
  for (let count = 0; ; count++) {
    const { url } = nodes[count % nodes.length]!.place
    const key = `loop-${count}`
    const answer = yield* Http.request("PUT", `${url}/kv/${key}`, { body: `value of ${key}` }).pipe(
      Effect.orElseSucceed(() => undefined)
    )
    const acknowledgedMillis = yield* Clock.currentTimeMillis
    if (answer?.status === 200) acknowledged.push({ key, acknowledgedMillis })
  }
})

const expectAll = Effect.fnUntraced(function* (node: Node, written: ReadonlyArray<Written>) {
  for (const { key } of written) {
    const { text } = yield* Http.request("GET", `${node.place.url}/kv/${key}`)
    expect(text, `${key} at ${node.place.id}`).toBe(`value of ${key}`)
  }
})

const until = (condition: () => boolean) =>
  Effect.sleep(10).pipe(Effect.repeat({ while: () => !condition() }), Effect.timeout(20_000))

describe("three nodes", () => {
  scenario("keep every acknowledged write through kill -9 of the leader, and of all of them", () =>
    Effect.gen(function* () {
      const places = yield* Serving.places(3)
      const nodes = yield* startAll(places)
      const [first, second] = places
      const bytes = Uint8Array.from({ length: 1_000 }, (_, at) => at % 256)
      const put = yield* Http.request("PUT", `${first?.url}/kv/host`, { body: bytes })
      expect(put.status, put.text).toBe(200)
      expect((yield* Http.request("GET", `${second?.url}/kv/host`)).bytes).toEqual(Buffer.from(bytes))

      const leader = yield* leaderOf(nodes)
      const survivors = nodes.filter((node) => node !== leader)
      const written: Array<Written> = []
      const writer = yield* Effect.forkChild(writeForEver(survivors, written))
      yield* until(() => written.length >= 20)
      yield* kill(leader)
      const killedMillis = yield* Clock.currentTimeMillis
      const before = written.length
      yield* until(() => written.length >= before + 20)
      yield* Fiber.interrupt(writer)
      const nextMillis = written.find(({ acknowledgedMillis }) => acknowledgedMillis > killedMillis)
      expect(nextMillis!.acknowledgedMillis - killedMillis).toBeLessThan(2_000)
      yield* Effect.forEach(survivors, (node) => expectAll(node, written), { concurrency: 2, discard: true })

      yield* Effect.forEach(survivors, kill)
      const again = yield* startAll(places)
      yield* Effect.forEach(again, (node) => expectAll(node, written), { concurrency: 3, discard: true })
      expect((yield* Http.request("GET", `${first?.url}/kv/host`)).bytes).toEqual(Buffer.from(bytes))

      for (const { running } of again) running.kill("SIGTERM")
      expect(yield* Effect.forEach(again, ({ running }) => running.ended)).toEqual([0, 0, 0])
    })
  )
})
