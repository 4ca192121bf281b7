/** `effect-raft sim` from outside: what it prints, and that threads change nothing about it. */
import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { run, scenario } from "./Command.ts"

/** All that is said but the rates, which are of real time. */
const figuresOf = (stdout: string): string => stdout.replace(/ in .* s:/, "").replace(/^.*runs\/s.*$/m, "")

scenario("a simulation on two threads comes to the same as on one", () =>
  Effect.gen(function* () {
    const simulate = (jobs: number) =>
      run(["sim", "--seed", "5", "--runs", "4", "--duration", "2s", "--jobs", String(jobs)])
    const alone = yield* simulate(1)
    const together = yield* simulate(2)
    expect([alone.code, together.code]).toEqual([0, 0])
    expect(alone.stdout).toContain("4 runs")
    expect(figuresOf(together.stdout)).toBe(figuresOf(alone.stdout))
  })
)

scenario("as many jobs as anybody likes: no more threads than runs", () =>
  Effect.gen(function* () {
    const ended = yield* run(["sim", "--runs", "1", "--duration", "1s", "--jobs", "64"])
    expect(ended.code).toBe(0)
    expect(ended.stdout).toContain("1 runs")
  })
)
