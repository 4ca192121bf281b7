/**
 * One thread of a simulation: runs the seeds that it is given, one after the other, and says what each has
 * met. Started by `SimJobs`.
 */
import * as Simulation from "@effect-raft/core/testing/Simulation"
import * as Plan from "@effect-raft/core/testing/simulation/Plan"
import { KvMachine } from "@effect-raft/kv/KvMachine"
import * as WorkerThreads from "node:worker_threads"
import type * as SimJobs from "./SimJobs.ts"
import { workload } from "./KvWorkload.ts"
import * as SimStorage from "./SimStorage.ts"

const { bounds, storage } = WorkerThreads.workerData as SimJobs.Task
const disks = SimStorage.disksOf(storage)

const run = (seed: number): SimJobs.Finding => {
  const report = Simulation.run(KvMachine, workload, Plan.draw(String(seed), bounds), { disks })
  return {
    seed,
    hasFailed: report.failure !== undefined,
    events: report.events,
    virtualMillis: report.virtualMillis,
    operations: report.history.length,
    counters: report.counters
  }
}

WorkerThreads.parentPort?.on("message", (seed: number) => {
  WorkerThreads.parentPort?.postMessage(run(seed))
})
