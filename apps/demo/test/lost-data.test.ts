/**
 * Three `serve` processes, and what becomes of the disk of one of them: the others go on, it comes back,
 * nothing is lost.
 */
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Status } from "@effect-raft/kv/KvApi"
import * as NodeFs from "node:fs"
import * as NodePath from "node:path"
import { scenario, temporaryDirectory } from "./Command.ts"
import type { Running } from "./Command.ts"
import * as Http from "./Http.ts"
import * as Serving from "./Serving.ts"

const put = (place: Serving.Place, key: string) =>
  Effect.flatMap(
    Http.request("PUT", `${place.url}/kv/${key}`, { body: `value of ${key}` }),
    ({ status, text }) =>
      status === 200 ? Effect.void : Effect.fail(new Error(`PUT ${key} answered ${status}: ${text}`))
  )

const putMany = (place: Serving.Place, name: string) =>
  Effect.forEach([1, 2, 3, 4, 5], (number) => put(place, `${name}-${number}`), { discard: true })

const statusOf = ({ url }: Serving.Place) =>
  Effect.flatMap(Http.request("GET", `${url}/status`), ({ text }) =>
    Schema.decodeEffect(Schema.fromJsonString(Status))(text)
  )

const until = <E>(condition: Effect.Effect<boolean, E>) =>
  Effect.sleep(20).pipe(
    Effect.andThen(condition),
    Effect.repeat({ while: (holds) => !holds }),
    Effect.timeout(30_000)
  )

/** What a node has by itself, without asking anybody. */
const hasItself = ({ url }: Serving.Place, key: string) =>
  Effect.map(
    Http.request("GET", `${url}/kv/${key}?consistency=stale`),
    ({ text }) => text === `value of ${key}`
  )

/** Leaves the leader in office while the machine that runs the tests has other things to do. */
const patient = ["--election-timeout", "2000"]

const kill = (node: Running) =>
  Effect.suspend(() => {
    node.kill("SIGKILL")
    return node.ended
  })

describe("B17, B20: a node whose disk fails, or is full,", () => {
  scenario("stops, says why, and goes on after a restart with nothing lost", () =>
    Effect.gen(function* () {
      const places = yield* Serving.places(3)
      const [first, second, victim] = places as [Serving.Place, Serving.Place, Serving.Place]
      yield* Effect.forEach([first, second], Serving.serve, { concurrency: 2 })
      for (const [code, words] of [
        ["EIO", /the disk reports an error \(EIO\); look at the disk before/],
        ["ENOSPC", /the disk is full \(ENOSPC\); make room and start the node again/]
      ] as const) {
        const fault = NodePath.join(yield* temporaryDirectory, "fault")
        const node = yield* Serving.serveWith(victim, [], {
          preload: NodePath.join(import.meta.dirname, "FailingDisk.ts"),
          env: { FAILING_DISK: fault }
        })
        yield* putMany(first, `before-${code}`)
        NodeFs.writeFileSync(fault, code)
        yield* putMany(second, `while-${code}`)
        expect(yield* node.ended).toBe(1)
        const said = node
          .stderr()
          .split("\n")
          .filter((line) => line.startsWith("effect-raft: "))
        expect(said).toHaveLength(1)
        expect(said[0]).toMatch(/The node stopped because its storage failed: flush failed on .*\.wal: /)
        expect(said[0]).toMatch(words)
      }
      yield* Serving.serve(victim)
      yield* until(hasItself(victim, "while-ENOSPC-5"))
      for (const key of ["before-EIO-1", "while-EIO-5", "before-ENOSPC-5", "while-ENOSPC-1"]) {
        expect(yield* hasItself(victim, key), key).toBe(true)
      }
    })
  )
})

describe("B18: a node", () => {
  scenario(
    "whose directory is emptied, or replaced by an old copy, gets everything anew, and its leader says so",
    () =>
      Effect.gen(function* () {
        const places = yield* Serving.places(3)
        const running = new Map<string, Running>()
        const start = (place: Serving.Place) =>
          Effect.map(Serving.serveWith(place, patient), (node) => running.set(place.id, node))
        yield* Effect.forEach(places, start, { concurrency: 3 })
        const first = places[0]!
        yield* putMany(first, "one")
        const { leader } = yield* statusOf(first)
        const leading = running.get(leader!)!
        const victim = places.find(({ id }) => id !== leader)!
        const asked = places.find(({ id }) => id !== victim.id)!

        yield* kill(running.get(victim.id)!)
        const copy = NodePath.join(yield* temporaryDirectory, "copy")
        NodeFs.cpSync(victim.directory, copy, { recursive: true })
        yield* start(victim)
        yield* putMany(asked, "two")
        yield* until(hasItself(victim, "two-5"))

        const losses: ReadonlyArray<readonly [string, () => void]> = [
          ["an old copy", () => NodeFs.cpSync(copy, victim.directory, { recursive: true })],
          ["nothing", () => undefined]
        ]
        for (const [count, [what, leave]] of losses.entries()) {
          yield* kill(running.get(victim.id)!)
          NodeFs.rmSync(victim.directory, { recursive: true })
          leave()
          yield* start(victim)
          yield* until(hasItself(victim, "two-5"))
          yield* putMany(asked, `after-${count}`)
          yield* until(hasItself(victim, `after-${count}-5`))
          const told = leading
            .stderr()
            .match(new RegExp(`${victim.id} has lost what it had acknowledged`, "g"))
          expect(told, what).toHaveLength(count + 1)
        }
        expect((yield* statusOf(first)).leader).toBe(leader)
      })
  )
})
