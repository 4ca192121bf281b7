/**
 * The session handle: numbers, tries, what it says when tries end, and that it leaves nothing behind.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import {
  because,
  InvalidCommand,
  NoLeader,
  NotLeader,
  OutcomeUnknown,
  ShuttingDown
} from "../../src/RaftError.ts"
import type { RaftError } from "../../src/RaftError.ts"
import * as Session from "../../src/Session.ts"
import type { SessionRecord } from "../../src/sessions/SessionRecord.ts"
import * as LocalSessions from "../../src/testing/LocalSessions.ts"
import { Journal } from "../cluster/Journal.ts"

const limits = { timeoutMillis: 4_000, maxReplies: 4, maxReplyBytes: 1_000 }

const group = (options: Partial<LocalSessions.Options> = {}) =>
  LocalSessions.make(Journal.machine, { limits, ...options })

const lost = because(new OutcomeUnknown({ detail: "lost" }))
const nowhere = because(new NotLeader({ leader: null }))

/** Fails commands one after the other with what is given, and then no more. */
const failing = (...errors: ReadonlyArray<RaftError>) => {
  const left = [...errors]
  return (record: SessionRecord) => (record._tag === "Command" ? left.shift() : undefined)
}

const commandsOf = ({ records }: Pick<LocalSessions.LocalSessions<never, never, never>, "records">) =>
  records.flatMap((record) =>
    record._tag === "Command" ? [[record.sequence, record.acknowledgedBelow] as const] : []
  )

/** Lets virtual time pass until the effect ends. */
const drive = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
    while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust(100)
    return yield* Fiber.join(fiber)
  })

describe("Session", () => {
  it.effect("gives every command a number of its own and acknowledges what was answered", () =>
    Effect.gen(function* () {
      const local = group()
      const session = yield* Session.open(local.operations)
      for (const text of ["a", "b", "c"]) yield* session.propose(text)
      assert.deepStrictEqual(commandsOf(local), [
        [1, 1],
        [2, 2],
        [3, 3]
      ])
    })
  )

  it.effect("tries again under the same number when an answer is lost", () =>
    Effect.gen(function* () {
      const local = group({ failAfter: failing(lost, lost) })
      const session = yield* Session.open(local.operations)
      const { index, reply } = yield* drive(session.proposeAt("once"))
      assert.strictEqual(reply, 0)
      assert.strictEqual(index, 2, "where it was applied, not where it was asked for again")
      assert.deepStrictEqual(local.view(), ["once"])
      assert.deepStrictEqual(
        commandsOf(local).map(([sequence]) => sequence),
        [1, 1, 1]
      )
    })
  )

  it.effect("opens again when the answer to the opening is lost", () =>
    Effect.gen(function* () {
      let losses = 1
      const local = group({ failAfter: () => (losses-- > 0 ? lost : undefined) })
      const session = yield* drive(Session.open(local.operations))
      assert.strictEqual(session.id.index, 2)
      assert.strictEqual(yield* session.propose("a"), 0)
    })
  )

  it.effect("does not try again what no try can mend", () =>
    Effect.gen(function* () {
      const invalid = because(new InvalidCommand({ detail: "no" }))
      for (const error of [invalid, because(new ShuttingDown())]) {
        const session = yield* Session.open(group({ failBefore: failing(error) }).operations)
        const told = yield* Effect.flip(session.propose("x"))
        assert.strictEqual(told, error)
        assert.strictEqual(told.outcome, "none")
        assert.strictEqual(yield* session.propose("y"), 0)
      }
    })
  )

  it.effect("what surely did not happen in any try is told as such, after the time for tries", () =>
    Effect.gen(function* () {
      const noLeader = because(new NoLeader({ waitedMillis: 1 }))
      const local = group({ failBefore: ({ _tag }) => (_tag === "Command" ? noLeader : undefined) })
      const session = yield* Session.open(local.operations, { retryForMillis: 2_000 })
      const error = yield* drive(Effect.flip(session.propose("x")))
      assert.strictEqual(error.reason._tag, "NoLeader")
      assert.strictEqual(error.outcome, "none")
    })
  )

  it.effect("once a try may have happened, a later one that did not does not undo that", () =>
    Effect.gen(function* () {
      const last = [nowhere, because(new ShuttingDown())]
      for (const error of last) {
        let isFirst = true
        const local = group({
          failAfter: failing(lost),
          failBefore: ({ _tag }) => {
            if (_tag !== "Command") return undefined
            const wasFirst = isFirst
            isFirst = false
            return wasFirst ? undefined : error
          }
        })
        const session = yield* Session.open(local.operations, { retryForMillis: 1_000 })
        const told = yield* drive(Effect.flip(session.propose("x")))
        assert.strictEqual(told.reason._tag, "OutcomeUnknown")
        assert.include(told.message, error.message)
        assert.deepStrictEqual(local.view(), ["x"], "and indeed it did")
      }
    })
  )

  it.effect("B46: an expired session says so, and whether a try may have happened before", () =>
    Effect.gen(function* () {
      let nowMillis = 0
      let loses = true
      const local = group({
        nowMillis: () => nowMillis,
        failAfter: ({ _tag }) => (_tag === "Command" && loses ? lost : undefined)
      })
      const session = yield* Session.open(local.operations)
      const call = yield* Effect.forkChild(Effect.flip(session.propose("x")), { startImmediately: true })
      nowMillis = 10_000
      loses = false
      const told = yield* drive(Fiber.join(call))
      assert.strictEqual(told.reason._tag, "SessionExpired")
      assert.strictEqual(told.outcome, "unknown")
      const later = yield* Effect.flip(session.propose("y"))
      assert.strictEqual(later.reason._tag, "SessionExpired")
      assert.strictEqual(later.outcome, "none", "it was not even sent")
      assert.strictEqual((yield* Effect.flip(session.expired)).reason._tag, "SessionExpired")
      assert.deepStrictEqual(local.view(), ["x"])
    })
  )

  it.effect("keeps itself alive while it is idle, and acknowledges with it", () =>
    Effect.gen(function* () {
      const local = group()
      const session = yield* Session.open(local.operations)
      yield* session.propose("a")
      yield* TestClock.adjust("20 seconds")
      const signs = local.records.filter((record) => record._tag === "KeepAlive")
      assert.isAtLeast(signs.length, 10)
      assert.deepInclude(signs.at(-1), { acknowledgedBelow: 2, session: session.id })
    })
  )

  it.effect("says nothing while commands speak for it", () =>
    Effect.gen(function* () {
      const local = group()
      const session = yield* Session.open(local.operations)
      for (let i = 0; i < 40; i++) {
        yield* session.propose(`${i}`)
        yield* TestClock.adjust(500)
      }
      assert.isEmpty(local.records.filter((record) => record._tag === "KeepAlive"))
    })
  )

  it.effect("never has more under way than the group keeps answers for", () =>
    Effect.gen(function* () {
      const held = Deferred.makeUnsafe<void>()
      const local = group()
      const { operations } = local
      let [underWay, most] = [0, 0]
      const session = yield* Session.open({
        ...operations,
        propose: (request) =>
          Effect.gen(function* () {
            most = Math.max(most, (underWay += 1))
            // The first is slow; the others wait for it once their numbers are too far ahead.
            if (request.sequence === 1) yield* Deferred.await(held)
            const applied = yield* operations.propose(request)
            underWay -= 1
            return applied
          })
      })
      const calls = yield* Effect.forkChild(
        Effect.forEach(Array.from({ length: 20 }), (_, i) => session.propose(`${i}`), {
          concurrency: "unbounded"
        }),
        { startImmediately: true }
      )
      yield* TestClock.adjust(1)
      assert.strictEqual(local.view().length, 3, "numbers 2 to 4: 5 would be the fifth answer")
      Deferred.doneUnsafe(held, Exit.void)
      assert.strictEqual(new Set(yield* Fiber.join(calls)).size, 20)
      assert.isAtMost(most, 4)
    })
  )

  it.effect("an interrupted command is given up: a copy that comes late is not applied", () =>
    Effect.gen(function* () {
      const local = group({ failBefore: failing(nowhere, nowhere, nowhere) })
      const session = yield* Session.open(local.operations)
      const call = yield* Effect.forkChild(session.propose("given up"), { startImmediately: true })
      yield* Fiber.interrupt(call)
      yield* drive(session.propose("next"))
      const late = { session: session.id, sequence: 1, acknowledgedBelow: 1, command: "given up" }
      const error = yield* Effect.flip(local.operations.propose(late))
      assert.strictEqual(error.reason._tag, "AlreadyAcknowledged")
      assert.deepStrictEqual(local.view(), ["next"])
    })
  )

  it.effect("ten thousand interrupted commands leave no number behind", () =>
    Effect.gen(function* () {
      const local = group()
      const session = yield* Session.open({ ...local.operations, propose: () => Effect.never })
      for (let i = 0; i < 10_000; i++) {
        const call = yield* Effect.forkChild(session.propose("x"), { startImmediately: i % 2 === 0 })
        yield* Fiber.interrupt(call)
      }
      let acknowledged = 0
      const working = yield* Effect.forkChild(
        Effect.forEach([1, 2, 3, 4, 5], () => session.propose("y"), { concurrency: "unbounded" }),
        { startImmediately: true }
      )
      yield* TestClock.adjust("10 seconds")
      for (const record of local.records)
        if (record._tag === "KeepAlive") acknowledged = record.acknowledgedBelow
      yield* Fiber.interrupt(working)
      assert.isAbove(acknowledged, 5_000, "only what is under way now is not acknowledged")
    })
  )

  it.effect("is closed with its Scope, which does not wait for a group that is gone", () =>
    Effect.gen(function* () {
      const local = group()
      const scope = yield* Scope.make()
      yield* Scope.provide(Session.open(local.operations), scope)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(local.records.at(-1)?._tag, "Close")
      const other = yield* Scope.make()
      yield* Scope.provide(Session.open({ ...local.operations, close: () => Effect.never }), other)
      yield* drive(Scope.close(other, Exit.void))
    })
  )
})
