/**
 * The same seed gives the same trace, byte for byte; another seed another.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as LinkFaults from "../../src/testing/LinkFaults.ts"
import * as RaftTest from "../../src/testing/RaftTest.ts"
import { Journal } from "./Journal.ts"

const run = (seed: string) =>
  Effect.gen(function* () {
    const cluster = yield* RaftTest.make(Journal, { size: 3, seed, network: LinkFaults.unreliable })
    yield* cluster.propose("a", yield* cluster.awaitLeader())
    yield* cluster.kill(yield* cluster.awaitLeader())
    yield* cluster.propose("b", yield* cluster.awaitLeader())
    for (const nodeId of cluster.nodeIds) if (!cluster.isUp(nodeId)) yield* cluster.start(nodeId)
    yield* cluster.propose("c", yield* cluster.awaitLeader())
    yield* cluster.advance("1 second")
    return cluster.trace().join("\n")
  }).pipe(Effect.scoped, Effect.provide(TestClock.layer({ warningDelay: "1 minute" }), { local: true }))

it.effect("the same seed gives the same trace, another seed another", () =>
  Effect.gen(function* () {
    const [one, two, other] = [yield* run("17"), yield* run("17"), yield* run("18")]
    assert.strictEqual(one, two)
    assert.notStrictEqual(one, other)
  })
)
