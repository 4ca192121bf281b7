/**
 * The simulator on the write-ahead log: whole clusters of shipped nodes, each on shipped files that forget,
 * tear and fail. Everything holds, the dangerous states were met, and a seed gives the same run again.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as StateMachine from "@effect-raft/core/StateMachine"
import * as Plan from "@effect-raft/core/testing/simulation/Plan"
import * as RaftTest from "@effect-raft/core/testing/RaftTest"
import * as Simulation from "@effect-raft/core/testing/Simulation"
import * as TraceEvent from "@effect-raft/core/TraceEvent"
import * as SimulatedFiles from "@effect-raft/storage-file/testing/SimulatedFiles"

class Total extends StateMachine.Service<Total>()("test/Total", {
  command: Schema.String,
  reply: Schema.Int,
  state: Schema.Int,
  initial: 0,
  apply: (total, command) => ({ state: total + command.length, reply: total + command.length })
}) {}

const workload: RaftTest.Workload<string, number> = {
  next: ({ client, count }) => ({ _tag: "Propose", command: `${client}.${count}.`.padEnd(count % 700, "x") })
}

describe("the simulator on the write-ahead log", () => {
  it.effect("everything holds, and torn, failing and full disks were met", () =>
    Effect.gen(function* () {
      const { counters } = yield* RaftTest.simulate(Total, workload, {
        seed: 1,
        runs: 40,
        durationMillis: 5_000,
        operationsPerSecond: 50,
        disks: SimulatedFiles.make
      })
      for (const met of [
        "tornWrites",
        "failedFlushes",
        "failedWrites",
        "segmentsRolled",
        "segmentsRemoved",
        "segmentsReused",
        "tailsCut",
        "recoveries",
        "snapshotsInstalled"
      ] as const) {
        assert.isAbove(counters[met], 0, met)
      }
    })
  )

  it("the same seed gives the same run, byte for byte", () => {
    const run = () => {
      const plan = Plan.draw("7", { durationMillis: 2_000, size: 3, operationsPerSecond: 100 })
      const { traceEvents } = Simulation.run(Total, workload, plan, {
        trace: true,
        disks: SimulatedFiles.make
      })
      return traceEvents.map(TraceEvent.toLine).join("\n")
    }
    const first = run()
    assert.isAbove(first.length, 10_000)
    assert.strictEqual(run(), first)
  })
})
