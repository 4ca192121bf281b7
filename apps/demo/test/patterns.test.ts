/**
 * The patterns of the lecture, each asserted: what the wrong version shows, what the right one does, and in
 * which (virtual) time.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Ref from "effect/Ref"
import * as TestClock from "effect/testing/TestClock"
import * as Arguments from "../examples/patterns/01-explicit-argument.ts"
import * as WaitForAll from "../examples/patterns/02-wait-for-all.ts"
import * as Periodic from "../examples/patterns/03-stop-a-periodic-task.ts"
import * as CriticalSection from "../examples/patterns/04-critical-section.ts"
import * as Votes from "../examples/patterns/05-count-votes.ts"
import * as Channels from "../examples/patterns/06-channels.ts"
import * as Producers from "../examples/patterns/07-producers-and-consumer.ts"
import * as NoDeadlock from "../examples/patterns/08-no-deadlock.ts"
import * as StaleReplies from "../examples/patterns/09-stale-replies.ts"
import * as Kill from "../examples/patterns/10-kill.ts"

/**
 * Runs a program while the virtual clock jumps from timer to timer; answers its value and its duration. The
 * program begins at a timer too: `adjust` waits for what a timer woke, and for all that this forks, before
 * it moves on, but not for what ran before.
 */
const timed = Effect.fnUntraced(function* <A, E>(program: Effect.Effect<A, E>) {
  const measured = Effect.gen(function* () {
    const startedAt = yield* Clock.currentTimeMillis
    const value = yield* program
    return { value, millis: (yield* Clock.currentTimeMillis) - startedAt }
  })
  const fiber = yield* Effect.forkChild(Effect.delay(measured, "1 millis"))
  yield* TestClock.adjust("1 minute")
  assert.isDefined(fiber.pollUnsafe(), "the program still waits after a virtual minute")
  return yield* Fiber.join(fiber)
})

describe("1 a task gets its argument", () => {
  it.effect("a shared variable has moved on when the fibers read it", () =>
    Effect.gen(function* () {
      assert.deepEqual(yield* Arguments.sharedVariable, [5, 5, 5, 5, 5])
    })
  )

  it.effect("an argument is the task's own", () =>
    Effect.gen(function* () {
      assert.deepEqual(yield* Arguments.ownArgument, [0, 1, 2, 3, 4])
    })
  )
})

describe("2 wait for N tasks", () => {
  it.effect("takes as long as the slowest and keeps the order", () =>
    Effect.gen(function* () {
      const peers = [
        { name: "n1", latencyMillis: 300 },
        { name: "n2", latencyMillis: 100 }
      ]
      const { millis, value } = yield* timed(WaitForAll.greetAll(peers))
      assert.deepEqual(value, ["hello from n1", "hello from n2"])
      assert.strictEqual(millis, 300)
    })
  )
})

describe("3 stop a periodic task", () => {
  it.effect("beats for five seconds and then no more", () =>
    Effect.gen(function* () {
      const beats = yield* Ref.make(0)
      const beat = Ref.update(beats, (count) => count + 1)
      const { millis } = yield* timed(Periodic.beatForFiveSeconds(beat))
      assert.strictEqual(millis, 5_000)
      // At 0, 800, ... 4,800 ms; the clock has gone on to one minute since.
      assert.strictEqual(yield* Ref.get(beats), 7)
    })
  )
})

describe("4 a critical section", () => {
  it.effect("a lock around each half lets the auditor see a wrong total", () =>
    Effect.gen(function* () {
      const { wrongTotalsSeen } = yield* CriticalSection.audit(CriticalSection.twoSections)
      assert.isAbove(wrongTotalsSeen, 0)
    })
  )

  it.effect.each([
    { name: "one section", transfer: CriticalSection.oneSection },
    { name: "one step", transfer: CriticalSection.oneStep }
  ])("$name shows only right totals", ({ transfer }) =>
    Effect.gen(function* () {
      assert.deepEqual(yield* CriticalSection.audit(transfer), {
        wrongTotalsSeen: 0,
        end: { alice: 10_100, bob: 9_900 }
      })
    })
  )
})

describe("5 count votes", () => {
  const voters = (answers: ReadonlyArray<boolean>) =>
    answers.map((granted, peer) => Votes.voter(granted, 10 * (peer + 1)))
  const yes = true
  const no = false

  it.effect("decides with the fifth yes, and abandons the rest", () =>
    Effect.gen(function* () {
      const abandoned = yield* Ref.make(0)
      const requests = voters([yes, no, yes, yes, no, yes, yes, yes, yes, yes]).map((request) =>
        Effect.onInterrupt(request, () => Ref.update(abandoned, (count) => count + 1))
      )
      const { millis, value } = yield* timed(Votes.countVotes(requests, 5))
      assert.deepEqual(value, { granted: 5, answered: 7 })
      assert.strictEqual(millis, 70)
      assert.strictEqual(yield* Ref.get(abandoned), 3)
    })
  )

  it.effect("gives up when all ten have answered", () =>
    Effect.gen(function* () {
      const { millis, value } = yield* timed(
        Votes.countVotes(voters([yes, no, yes, no, yes, no, yes, no, no, no]), 5)
      )
      assert.deepEqual(value, { granted: 4, answered: 10 })
      assert.strictEqual(millis, 100)
    })
  )
})

describe("6 channels", () => {
  it.effect("an unbuffered send returns when the value was taken", () =>
    Effect.gen(function* () {
      const channel = yield* Channels.unbuffered<number>()
      const { value } = yield* timed(Channels.sendTimes(channel, 3))
      assert.deepEqual(value, [1_000, 2_000, 3_000])
    })
  )

  it.effect("a send into a buffer waits only when the buffer is full", () =>
    Effect.gen(function* () {
      const channel = yield* Channels.buffered<number>(2)
      const { value } = yield* timed(Channels.sendTimes(channel, 4))
      assert.deepEqual(value, [0, 0, 1_000, 2_000])
    })
  )
})

describe("7 producers and a consumer", () => {
  it.effect("jobs arrive at the pace of their producers", () =>
    Effect.gen(function* () {
      const { millis, value } = yield* timed(Producers.consume(3, () => Effect.void))
      assert.sameDeepMembers(
        [...value],
        [
          { producer: 0, job: 0 },
          { producer: 0, job: 1 },
          { producer: 1, job: 0 }
        ]
      )
      assert.strictEqual(millis, 200)
    })
  )

  it.effect("a slow consumer makes the producers wait", () =>
    Effect.gen(function* () {
      const { millis, value } = yield* timed(Producers.consume(24, () => Effect.sleep("1 second")))
      assert.strictEqual(millis, 24_100)
      // Left alone, producer 0 would have made half of the first 24 jobs. Waiting at a full queue, all four
      // advance at the pace of the consumer, a quarter each.
      const ofProducer0 = value.filter(({ producer }) => producer === 0)
      assert.isAtMost(ofProducer0.length, 8)
    })
  )
})

describe("8 two peers that ask each other", () => {
  it.effect("deadlock when each holds its lock over the call", () =>
    Effect.gen(function* () {
      const { millis, value } = yield* timed(NoDeadlock.holdingLocks)
      assert.strictEqual(value, "deadlock")
      assert.strictEqual(millis, 1_000)
    })
  )

  it.effect("both answer when the actors wait for nothing but their mailbox", () =>
    Effect.gen(function* () {
      const { millis, value } = yield* timed(NoDeadlock.actors)
      assert.deepEqual(value, ["b says yes", "a says yes"])
      assert.strictEqual(millis, 10)
    })
  )
})

describe("9 stale replies", () => {
  it.effect("a reply of the term that asked for it counts", () =>
    Effect.gen(function* () {
      const { value } = yield* timed(StaleReplies.campaignTwice(50))
      assert.deepEqual(value, { currentTerm: 2, votes: 2, dropped: 0 })
    })
  )

  it.effect("a reply that the term has overtaken is dropped", () =>
    Effect.gen(function* () {
      const { value } = yield* timed(StaleReplies.campaignTwice(300))
      assert.deepEqual(value, { currentTerm: 2, votes: 2, dropped: 1 })
    })
  )

  it("the rule compares terms, whatever the reply says", () => {
    const state = { currentTerm: 4, votes: 1, dropped: 0 }
    const reply = { _tag: "Reply", granted: true } as const
    assert.strictEqual(StaleReplies.step(state, { ...reply, requestTerm: 3 }).votes, 1)
    assert.strictEqual(StaleReplies.step(state, { ...reply, requestTerm: 4 }).votes, 2)
  })
})

describe("10 kill", () => {
  it.effect("closing the Scope stops every fiber, then closes what was opened", () =>
    Effect.gen(function* () {
      const { value: lines } = yield* timed(Kill.killAfterAWhile)
      const killing = lines.slice(lines.indexOf("kill"))
      assert.deepEqual(lines.slice(0, 3), ["open storage", "election timer works", "kill"])
      assert.sameMembers(killing.slice(1, 4), ["vote request stops", "election timer stops", "actor stops"])
      assert.deepEqual(killing.slice(4), ["close storage", "killed"])
    })
  )

  it.effect("a fiber that waits for ever is gone too", () =>
    Effect.gen(function* () {
      const interrupted = yield* Deferred.make<void>()
      const waiting = Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined))
      yield* Effect.scoped(Effect.forkScoped(waiting, { startImmediately: true }))
      assert.isTrue(yield* Deferred.isDone(interrupted))
    })
  )
})
