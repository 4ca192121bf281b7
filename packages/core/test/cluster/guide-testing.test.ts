/**
 * The example of docs/guides/testing.md. The blocks of the guide stand in this file word for word, and the
 * last test compares the two.
 */
// guide: machine
import * as StateMachine from "@effect-raft/core/StateMachine"
import * as Schema from "effect/Schema"

/** Accounts that never go below zero. */
class Bank extends StateMachine.Service<Bank>()("app/Bank", {
  command: Schema.TaggedUnion({
    Deposit: { to: Schema.String, amount: Schema.Natural },
    Transfer: { from: Schema.String, to: Schema.String, amount: Schema.Natural }
  }),
  /** Whether it was done. */
  reply: Schema.Boolean,
  state: Schema.Record(Schema.String, Schema.Int),
  initial: {},
  apply: (accounts, command) => {
    const balance = (name: string) => accounts[name] ?? 0
    const { to, amount } = command
    if (command._tag === "Deposit") {
      return { state: { ...accounts, [to]: balance(to) + amount }, reply: true }
    }
    const { from } = command
    if (balance(from) < amount) return { state: accounts, reply: false }
    const paid = { ...accounts, [from]: balance(from) - amount }
    return { state: { ...paid, [to]: (paid[to] ?? 0) + amount }, reply: true }
  }
}) {}
// guide: end

// guide: first
import * as RaftTest from "@effect-raft/core/testing/RaftTest"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

it.effect("a deposit survives the leader that took it", () =>
  Effect.gen(function* () {
    const cluster = yield* RaftTest.make(Bank, { size: 3, seed: "1" })
    yield* cluster.propose({ _tag: "Deposit", to: "ann", amount: 10 })

    yield* cluster.kill(yield* cluster.awaitLeader())

    assert.isTrue(yield* cluster.propose({ _tag: "Transfer", from: "ann", to: "bob", amount: 4 }))
    assert.deepStrictEqual(yield* cluster.read((accounts) => accounts), { ann: 6, bob: 4 })
  })
)
// guide: end

// guide: partition
it.effect("a leader that is cut off takes no money", () =>
  Effect.gen(function* () {
    const cluster = yield* RaftTest.make(Bank, { size: 5, seed: "2" })
    const cutOff = yield* cluster.awaitLeader()
    cluster.network.isolate(cutOff)

    const deposit = cluster.raft(cutOff).propose({ _tag: "Deposit", to: "ann", amount: 10 })
    const error = yield* Effect.flip(cluster.drive(deposit, { within: "1 second" }))
    assert(error._tag === "RaftError" && error.outcome === "unknown")

    cluster.network.rejoin(cutOff)
    yield* cluster.awaitLeader()
    assert.deepStrictEqual(yield* cluster.read((accounts) => accounts, cutOff), {})
  })
)
// guide: end

// guide: disk
it.effect("what was answered is on two disks of three", () =>
  Effect.gen(function* () {
    const cluster = yield* RaftTest.make(Bank, { size: 3, seed: "3" })
    const slow = cluster.nodeIds[0]!
    yield* cluster.disk.hang(cluster.identityOf(slow))
    yield* cluster.propose({ _tag: "Deposit", to: "ann", amount: 10 })

    // The power fails everywhere, and the slow disk never got to it.
    yield* Effect.forEach(cluster.nodeIds, (nodeId) => cluster.kill(nodeId))
    yield* cluster.disk.release(cluster.identityOf(slow))
    yield* Effect.forEach(cluster.nodeIds, cluster.start)

    assert.deepStrictEqual(yield* cluster.read((accounts) => accounts, slow), { ann: 10 })
  })
)
// guide: end

// guide: seeds
import * as LinkFaults from "@effect-raft/core/testing/LinkFaults"
import * as Result from "effect/Result"

const seeds = Array.from({ length: 20 }, (_, i) => `transfers ${i}`)

it.effect.each(seeds)("no money is made or lost (%s)", (seed) =>
  Effect.gen(function* () {
    const cluster = yield* RaftTest.make(Bank, { size: 3, seed, network: LinkFaults.unreliable })
    // At the leader: what is passed on to it can get lost on the way.
    yield* cluster.propose({ _tag: "Deposit", to: "ann", amount: 100 }, yield* cluster.awaitLeader())

    for (let i = 0; i < 20; i++) {
      const at = cluster.nodeIds[i % 3]!
      const transfer = cluster.propose({ _tag: "Transfer", from: "ann", to: "bob", amount: 1 }, at)
      const result = yield* Effect.result(transfer)
      // It may fail here, but only by not knowing.
      if (Result.isFailure(result)) assert.include(result.failure.message, "outcome is unknown")
      if (i % 7 === 3) yield* cluster.restart(at)
    }

    const accounts = yield* cluster.read((accounts) => accounts)
    assert.strictEqual(accounts["ann"]! + accounts["bob"]!, 100)
  })
)
// guide: end

// guide: clock
import * as TestClock from "effect/testing/TestClock"

it.effect("a leader that nobody troubles stays", () =>
  Effect.gen(function* () {
    const cluster = yield* RaftTest.make(Bank, { size: 3, seed: "4", trace: false })
    const leader = yield* cluster.awaitLeader()
    yield* cluster.advance("10 minutes")
    assert.strictEqual(yield* cluster.awaitLeader(), leader)
  }).pipe(Effect.scoped, Effect.provide(TestClock.layer({ warningDelay: "1 minute" }), { local: true }))
)
// guide: end

import { readFileSync } from "node:fs"

it("the guide shows this file", () => {
  const root = new URL("../../../../", import.meta.url)
  const file = readFileSync(new URL(import.meta.url), "utf8")
  const guide = readFileSync(new URL("docs/guides/testing.md", root), "utf8")
  const regions = Array.from(
    file.matchAll(/^\/\/ guide: (?!end).*\n([^]*?)\/\/ guide: end/gm),
    ([, code]) => code
  )
  const shown = Array.from(guide.matchAll(/^```ts\n([^]*?)^```/gm), ([, code]) => code)
  assert.isNotEmpty(shown)
  assert.deepStrictEqual(shown, regions)
})
