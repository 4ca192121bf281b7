/** Changing who belongs to a cluster of processes, by the commands, while it serves. */
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Command from "./Command.ts"
import { scenario } from "./Command.ts"
import * as InProcess from "./InProcess.ts"
import * as Serving from "./Serving.ts"

/** The flags of a node that is to join: those of its place, without members. */
const joining = ({ flags }: Serving.Place) => {
  const members = flags.indexOf("--member")
  return [...flags.slice(0, members), "--join"]
}

const serve = Effect.fnUntraced(function* (place: Serving.Place, flags: ReadonlyArray<string>) {
  const running = yield* Command.start(["serve", ...flags])
  yield* running.says(new RegExp(`^node ${place.id} ready`, "m"))
  return running
})

const isEarly = ({ complained }: InProcess.Ended) =>
  complained.join().includes("ask again when it has caught up")

/** The rows of a table, the heading left out, each as its words. */
const rowsOf = ({ said }: InProcess.Ended) =>
  said
    .join("\n")
    .split("\n")
    .filter((line) => /^n\d+ {2}/.test(line))
    .map((line) => line.split(/ {2,}/))

describe("effect-raft member", () => {
  scenario("grows a cluster of one to three, replaces two of them at once, and shrinks it", () =>
    Effect.gen(function* () {
      const places = yield* Serving.places(4)
      const [first, ...others] = places
      const alone = first!.flags.slice(0, first!.flags.indexOf("--member") + 2)
      yield* serve(first!, alone)
      yield* Effect.forEach(others, (place) => serve(place, joining(place)))
      const endpoints = places.map(({ url }) => url).join(",")
      const cli = (...args: ReadonlyArray<string>) => InProcess.run([...args, "--endpoint", endpoints])
      const at = (name: string) => `${name}=127.0.0.1:${places.find(({ id }) => id === name)!.peerPort}`

      expect((yield* cli("put", "k", "v")).code).toBe(0)
      const added = yield* cli("member", "add", at("n2"))
      expect([added.code, added.complained]).toEqual([0, []])
      expect(added.said).toContain("n2 is a voter")

      expect((yield* cli("member", "add", at("n3"), "--learner")).code).toBe(0)
      const withLearner = rowsOf(yield* cli("member", "list"))
      expect(withLearner.map(([id, role]) => [id, role])).toEqual([
        ["n1", "voter"],
        ["n2", "voter"],
        ["n3", "learner"]
      ])
      // Until the leader has heard from it a learner is refused, with the word to ask again.
      const promoted = yield* cli("member", "promote", "n3", "--timeout", "20000").pipe(
        Effect.repeat({ while: isEarly, schedule: Schedule.spaced(50), times: 200 })
      )
      expect([promoted.code, promoted.complained]).toEqual([0, []])

      const replaced = yield* cli("member", "replace", at("n2"), at("n3"), at("n4"))
      expect([replaced.code, replaced.complained]).toEqual([0, []])
      const after = rowsOf(yield* cli("member", "list"))
      expect(after.map(([id, role]) => [id, role])).toEqual([
        ["n2", "voter"],
        ["n3", "voter"],
        ["n4", "voter"]
      ])
      expect(after.flat().filter((word) => word === "leader")).toHaveLength(1)
      expect((yield* InProcess.run(["get", "k", "--endpoint", places[3]!.url])).bytes.toString()).toBe("v")

      expect((yield* cli("member", "remove", "n4")).code).toBe(0)
      const gone = yield* cli("member", "remove", "n4")
      expect(gone.code).toBe(1)
      expect(gone.complained.join()).toMatch(/n4 is not a member/)
    })
  )

  scenario("says that nobody leads, and that surely nothing happened, when no node is there", () =>
    Effect.gen(function* () {
      const [place] = yield* Serving.places(1)
      const ended = yield* InProcess.run([
        "member",
        "remove",
        "n1",
        "--endpoint",
        place!.url,
        "--timeout",
        "1"
      ])
      expect(ended.code).toBe(3)
      expect(ended.complained.join()).toMatch(/No leader was found: .*ECONNREFUSED/)
    })
  )
})
