/**
 * `RaftTest.simulate` proves a sound machine and catches one that is not, with a message that says what
 * diverged at which index; and a run is the same, byte for byte, whenever it is run.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as StateMachine from "../src/StateMachine.ts"
import * as RaftTest from "../src/testing/RaftTest.ts"
import * as Simulation from "../src/testing/Simulation.ts"
import * as Plan from "../src/testing/simulation/Plan.ts"
import * as SimulationRuntime from "../src/testing/SimulationRuntime.ts"
import * as TraceEvent from "../src/TraceEvent.ts"
import { Journal } from "./cluster/Journal.ts"

const workload = <View>(): RaftTest.Workload<string, View> => ({
  next: ({ client, count }) => ({ _tag: "Propose", command: `${client}.${count}` })
})

const counting = { command: Schema.String, reply: Schema.Int, state: Schema.Int, initial: 0 } as const

/** Its replies depend on chance. */
class Dicing extends StateMachine.Service<Dicing>()("test/Dicing", {
  ...counting,
  apply: (total, command) => {
    const next = total + command.length + (Math.random() < 0.01 ? 1 : 0)
    return { state: next, reply: next }
  }
}) {}

/** Its replies depend on the order of a set that every process fills in its own way. */
const seenHere = new Set<string>()
class Remembering extends StateMachine.Service<Remembering>()("test/Remembering", {
  ...counting,
  apply: (total, command) => {
    seenHere.add(command)
    const place = [...seenHere].indexOf(command) + (seenHere.size > 20 ? seenHere.size : 0)
    return { state: total + 1, reply: place }
  }
}) {}

const failureOf = (exit: Exit.Exit<unknown>): RaftTest.SimulationFailed => {
  assert.isTrue(Exit.isFailure(exit))
  const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  assert.instanceOf(defect, RaftTest.SimulationFailed)
  return defect
}

describe("RaftTest.simulate", () => {
  it.effect("a sound machine holds", () =>
    Effect.gen(function* () {
      const summary = yield* RaftTest.simulate(Journal, workload(), { seed: 100, runs: 10 })
      assert.strictEqual(summary.runs, 10)
      assert.isAbove(summary.counters.committed, 0)
    })
  )

  for (const machine of [Dicing, Remembering]) {
    it.effect(`a machine that looks at what is not replicated is caught (${machine.machine.name})`, () =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(
          RaftTest.simulate(machine, workload(), { seed: 1, runs: 20, size: 3 })
        )
        const failed = failureOf(exit)
        // The sessions compare replies too, and may come first.
        assert.include(["Divergence", "Sessions"], failed.property)
        assert.match(
          failed.message,
          /test\/\w+ diverged at index \d+: the reply is \d+ on n\d and \d+ on n\d|another answer at index \d+/
        )
        assert.include(failed.message, `seed ${failed.seed}`)
      })
    )
  }

  it("without faults nothing goes wrong: one leader, and everybody knows what became of his command", () => {
    const plan = Plan.draw("1", { faults: "none", durationMillis: 2_000, heartbeatIntervalMillis: 50 })
    const { counters, failure, history } = Simulation.run(Journal, workload(), plan)
    assert.isUndefined(failure)
    assert.deepStrictEqual([counters.leaders, counters.unknownOutcomes], [1, 0])
    assert.isAbove(history.length, 100)
  })

  it("what a user checks of the history is reported as such", () => {
    const wrong = { ...workload<ReadonlyArray<string>>(), check: () => "the user does not like it" }
    const report = Simulation.run(Journal, wrong, Plan.draw("1", { durationMillis: 1_000 }))
    assert.strictEqual(report.failure?.property, "History")
    assert.strictEqual(report.failure?.message, "the user does not like it")
  })

  it("the same plan gives the same trace and history, byte for byte", () => {
    const run = () => {
      const report = Simulation.run(Journal, workload(), Plan.draw("21"), { trace: true })
      return report.traceEvents.map(TraceEvent.toLine).join("\n") + JSON.stringify(report.history)
    }
    const first = run()
    assert.isAbove(first.length, 10_000)
    assert.strictEqual(run(), first)
  })
})

describe("SimulationRuntime", () => {
  it("refuses what waits for the world outside", () => {
    const { exit } = SimulationRuntime.run(
      Effect.promise(() => new Promise(() => {})),
      { seed: "1" }
    )
    assert.instanceOf(Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined, SimulationRuntime.Stuck)
  })

  it("runs timers in the order in which they are due, and no time passes while anybody works", () => {
    const order: Array<string> = []
    const program = Effect.all(
      [
        Effect.andThen(
          Effect.sleep("3 seconds"),
          Effect.sync(() => order.push("c"))
        ),
        Effect.andThen(
          Effect.sleep("1 second"),
          Effect.sync(() => order.push("a"))
        ),
        Effect.andThen(
          Effect.sleep("2 seconds"),
          Effect.sync(() => order.push("b"))
        )
      ],
      { concurrency: "unbounded" }
    )
    const { virtualMillis } = SimulationRuntime.run(program, { seed: "1" })
    assert.deepStrictEqual(order, ["a", "b", "c"])
    assert.strictEqual(virtualMillis, 3_000)
  })

  it("draws the order of ready fibers from the seed", () => {
    const order = (seed: string) => {
      const ran: Array<number> = []
      const program = Effect.forEach(
        Array.from({ length: 8 }, (_, i) => i),
        (i) =>
          Effect.andThen(
            Effect.yieldNow,
            Effect.sync(() => ran.push(i))
          ),
        { concurrency: "unbounded" }
      )
      SimulationRuntime.run(program, { seed, interleave: true })
      return ran.join("")
    }
    assert.strictEqual(order("1"), order("1"))
    assert.notStrictEqual(order("1"), order("2"))
  })
})
