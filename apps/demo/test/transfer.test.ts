/** Handing the leadership over by the command, between processes. */
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { scenario } from "./Command.ts"
import * as InProcess from "./InProcess.ts"
import * as Serving from "./Serving.ts"

describe("effect-raft transfer", () => {
  scenario("hands over to whom it is told, to another voter if it is not, and refuses strangers", () =>
    Effect.gen(function* () {
      const places = yield* Serving.places(3)
      const nodes = yield* Effect.forEach(places, Serving.serve, { concurrency: "unbounded" })
      const endpoints = places.map(({ url }) => url).join(",")
      const cli = (...args: ReadonlyArray<string>) => InProcess.run([...args, "--endpoint", endpoints])

      expect((yield* cli("put", "k", "v")).code).toBe(0)
      const best = yield* cli("transfer")
      expect([best.code, best.said]).toEqual([0, [expect.stringMatching(/^n\d leads$/)]])
      const [leader, ...others] = [...places].sort((one) => (best.said.join() === `${one.id} leads` ? -1 : 1))
      for (const { id } of [...others, leader!]) {
        const done = yield* cli("transfer", "--to", id)
        expect([done.code, done.said, done.complained]).toEqual([0, [`${id} leads`], []])
      }

      nodes[places.indexOf(others[0]!)]!.kill("SIGKILL")
      for (const [to, reason] of [
        ["n9", /n9/],
        [leader!.id, /leads already/],
        [others[0]!.id, /did not take over|does not answer/]
      ] as const) {
        const refused = yield* cli("transfer", "--to", to)
        expect([refused.code, refused.said, refused.complained.join()]).toEqual([
          1,
          [],
          expect.stringMatching(reason)
        ])
      }
      expect((yield* cli("put", "k", "after all")).code).toBe(0)
    })
  )
})
