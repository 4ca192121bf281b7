/**
 * The door to the testing kit, for those who test a state machine of their own.
 *
 * `make` starts a cluster in memory, for a test that tells a story: this node dies, that link breaks. It
 * moves the `TestClock`.
 *
 * ```ts
 * it.effect("survives its leader", () =>
 *   Effect.gen(function*() {
 *     const cluster = yield* RaftTest.make(Counter, { size: 3, seed: "1" })
 *     yield* cluster.propose({ _tag: "Increment", by: 1 })
 *     yield* cluster.kill(yield* cluster.awaitLeader())
 *     assert.strictEqual(yield* cluster.propose({ _tag: "Increment", by: 1 }), 2)
 *   }))
 * ```
 *
 * `simulate` runs the machine under random faults, seed after seed, in a world of its own.
 *
 * ```ts
 * it.effect("holds under faults", () => RaftTest.simulate(Counter, workload, { runs: 200 }))
 * ```
 */
export { make, NotReached } from "./TestCluster.ts"
export type { Cluster, Options } from "./TestCluster.ts"
export { simulate, SimulationFailed } from "./Simulate.ts"
export type { Options as SimulateOptions, Summary } from "./Simulate.ts"
export type { Completed, Request, Turn, Workload } from "./Workload.ts"
