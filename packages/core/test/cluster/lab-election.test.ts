/**
 * Elections: scenarios A01 to A03 of the 6.5840 labs (part 3A).
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { lab, labElectionTimeoutMillis } from "./LabHarness.ts"

lab(
  "A01 first election: one leader, one term everywhere, and both still the same 2 s later",
  { size: 3 },
  (lab) =>
    Effect.gen(function* () {
      const leader = yield* lab.checkOneLeader
      yield* Effect.sleep(50)
      const term = yield* lab.checkTerms
      assert.isAtLeast(term, 1)
      yield* Effect.sleep(2 * labElectionTimeoutMillis)
      assert.strictEqual(yield* lab.checkTerms, term)
      assert.strictEqual(yield* lab.checkOneLeader, leader)
    })
)

lab("A02 election after a network failure", { size: 3 }, (lab) =>
  Effect.gen(function* () {
    const first = yield* lab.checkOneLeader

    // The leader is cut off: a new one is elected.
    lab.disconnect(first)
    const second = yield* lab.checkOneLeader
    assert.notStrictEqual(second, first)

    // The old leader is back: that disturbs nobody.
    lab.connect(first)
    assert.strictEqual(yield* lab.checkOneLeader, second)
    assert.strictEqual(yield* lab.checkTerms, lab.cluster.state(second).currentTerm)

    // No quorum, no leader.
    lab.disconnect(second)
    lab.disconnect(lab.after(second, 1))
    yield* Effect.sleep(2 * labElectionTimeoutMillis)
    yield* lab.checkNoLeader

    // A quorum again: a leader within 5 seconds.
    lab.connect(lab.after(second, 1))
    yield* lab.checkOneLeader

    // The last one is back: still one leader.
    lab.connect(second)
    yield* lab.checkOneLeader
  })
)

lab("A03 many elections: three of seven are cut off, nine times", { size: 7 }, (lab) =>
  Effect.gen(function* () {
    yield* lab.checkOneLeader
    for (let round = 0; round < 9; round++) {
      const chosen = (yield* Random.shuffle(lab.servers)).slice(0, 3)
      chosen.forEach(lab.disconnect)
      // Either the leader is still among the four, or they elect one.
      yield* lab.checkOneLeader
      chosen.forEach(lab.connect)
    }
    yield* lab.checkOneLeader
  })
)
