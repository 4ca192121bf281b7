/**
 * What the table of sessions promises (thesis, section 6.3), claim by claim, and held against a naive model
 * in random runs.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import type { LogIndex } from "../../src/LogIndex.ts"
import type { SessionId } from "../../src/SessionId.ts"
import * as SessionAnswer from "../../src/sessions/SessionAnswer.ts"
import * as SessionRecord from "../../src/sessions/SessionRecord.ts"
import { SessionModel, toExpected } from "../../src/testing/SessionModel.ts"
import type { Term } from "../../src/Term.ts"
import { limits, TableDriver } from "./TableDriver.ts"

const expectPart = (answer: SessionAnswer.SessionAnswer, part: object) =>
  assert.deepInclude(answer as object, part)

const tagOf = (answer: SessionAnswer.SessionAnswer) => answer._tag

describe("a command of a session", () => {
  it("B46: is applied once, and the first answer is given again", () => {
    const driver = new TableDriver()
    const session = driver.opened(0)
    const first = driver.command(1, session, 1)
    const second = driver.command(2, session, 1)
    assert.strictEqual(driver.applied, 1)
    expectPart(first, { _tag: "Applied", index: 2, isRepeated: false })
    assert.deepStrictEqual<object>(second, { ...first, isRepeated: true })
  })

  it("has a number of its session, not of the group", () => {
    const driver = new TableDriver()
    const [one, other] = [driver.opened(0), driver.opened(0)]
    driver.command(1, one, 1)
    expectPart(driver.command(1, other, 1), { isRepeated: false })
    assert.strictEqual(driver.applied, 2)
  })

  it("may overtake another one: numbers need not come in order", () => {
    const driver = new TableDriver()
    const session = driver.opened(0)
    driver.command(1, session, 2)
    expectPart(driver.command(1, session, 1), { _tag: "Applied", isRepeated: false })
    expectPart(driver.command(1, session, 2), { isRepeated: true })
  })

  it("that its client has given up is not applied when it comes late", () => {
    const driver = new TableDriver()
    const session = driver.opened(0)
    driver.command(1, session, 2, 2)
    assert.deepStrictEqual(driver.command(2, session, 1, 1), { _tag: "Acknowledged", acknowledgedBelow: 2 })
    assert.strictEqual(driver.applied, 1)
  })

  it("is refused where the session's term is another: it is of a log that was forced to begin anew", () => {
    const driver = new TableDriver()
    const session = driver.opened(0)
    const foreign = { ...session, term: 7 as Term }
    assert.strictEqual(tagOf(driver.command(1, foreign, 1)), "Expired")
    assert.strictEqual(driver.applied, 0)
  })

  it("is refused after its session was closed", () => {
    const driver = new TableDriver()
    const session = driver.opened(0)
    assert.strictEqual(tagOf(driver.apply(1, { _tag: "Close", session })), "Done")
    assert.strictEqual(tagOf(driver.command(1, session, 1)), "Expired")
    assert.strictEqual(driver.applied, 0)
  })
})

describe("expiry", () => {
  it("is by the time in the log: after the timeout, and not before", () => {
    const driver = new TableDriver()
    const session = driver.opened(100)
    assert.strictEqual(tagOf(driver.command(1_099, session, 1)), "Applied")
    assert.strictEqual(tagOf(driver.command(2_099, session, 2)), "Expired")
    assert.strictEqual(driver.applied, 1)
  })

  it("is put off by commands, by copies of them and by signs of life", () => {
    const driver = new TableDriver()
    const session = driver.opened(0)
    driver.command(900, session, 1)
    driver.command(1_800, session, 1)
    driver.keepAlive(2_700, session)
    assert.strictEqual(tagOf(driver.command(3_600, session, 2)), "Applied")
  })

  it("is final: an expired session does not come back", () => {
    const driver = new TableDriver()
    const session = driver.opened(0)
    assert.strictEqual(tagOf(driver.command(1_000, session, 1)), "Expired")
    assert.strictEqual(tagOf(driver.command(1_000, session, 1)), "Expired")
  })

  it("does not come with a leader's first entry: nobody could be heard before it", () => {
    const driver = new TableDriver()
    const session = driver.opened(0)
    driver.newTerm(50_000)
    assert.strictEqual(tagOf(driver.command(50_999, session, 1)), "Applied")
    driver.newTerm(99_000)
    assert.strictEqual(tagOf(driver.command(100_000, session, 2)), "Expired")
  })

  it("is not undone by a leader's first entry", () => {
    const driver = new TableDriver()
    const session = driver.opened(0)
    // A sweep has just been, and the next is far.
    driver.plain(999)
    driver.plain(1_000)
    driver.newTerm(1_001)
    assert.strictEqual(tagOf(driver.command(1_002, session, 1)), "Expired")
  })

  it("frees the room of those whom nobody asks for any more", () => {
    const driver = new TableDriver()
    for (let i = 0; i < 5; i++) driver.opened(i)
    assert.strictEqual(driver.table.size, 5)
    for (let at = 0; at < 3_000; at += 100) driver.plain(at)
    assert.strictEqual(driver.table.size, 0)
    assert.isUndefined(driver.table.toSection())
  })
})

describe("bounds", () => {
  it("refuse an opening past maxSessions, and leave the others alone", () => {
    const driver = new TableDriver()
    const session = driver.opened(0, { maxSessions: 1 })
    assert.deepStrictEqual(driver.open(500, { maxSessions: 1 }), {
      _tag: "Full",
      bound: "maxSessions",
      limit: 1
    })
    assert.strictEqual(tagOf(driver.command(600, session, 1)), "Applied")
  })

  it("let an opening take the place of a session that has expired", () => {
    const driver = new TableDriver()
    driver.opened(0, { maxSessions: 1 })
    driver.plain(999)
    assert.strictEqual(tagOf(driver.open(1_000, { maxSessions: 1 })), "Opened")
  })

  it("refuse a command past maxReplies until answers are acknowledged", () => {
    const driver = new TableDriver()
    const session = driver.opened(0)
    for (const sequence of [1, 2, 3]) driver.command(1, session, sequence)
    const full = { _tag: "Full", bound: "maxSessionReplies", limit: 3 } as const
    assert.deepStrictEqual(driver.command(1, session, 4), full)
    assert.strictEqual(driver.applied, 3)
    expectPart(driver.command(1, session, 4, 2), { _tag: "Applied", isRepeated: false })
  })

  it("refuse a command past maxReplyBytes until answers are acknowledged", () => {
    const driver = new TableDriver(60)
    const session = driver.opened(0)
    for (const sequence of [1, 2]) driver.command(1, session, sequence)
    const full = { _tag: "Full", bound: "maxSessionReplyBytes", limit: 100 } as const
    assert.deepStrictEqual(driver.command(1, session, 3), full)
    driver.keepAlive(1, session, 2)
    expectPart(driver.command(1, session, 3), { _tag: "Applied" })
  })

  it("hold for many sessions that never acknowledge", () => {
    const driver = new TableDriver(40)
    const sessions = Array.from({ length: 200 }, () => driver.open(0, { maxSessions: 50 })).flatMap(
      (answer) => (answer._tag === "Opened" ? [answer.session] : [])
    )
    assert.strictEqual(sessions.length, 50)
    for (let sequence = 1; sequence < 100; sequence++) {
      for (const session of sessions) driver.command(1, session, sequence)
    }
    // Of each: its head, at most 3 answers of 40 bytes and what stands with each.
    assert.isAtMost(driver.table.toSection()!.byteLength, 40 + 50 * (8 * 8 + 3 * (40 + 4 * 8)))
  })

  it("an acknowledgement of very much takes no time", () => {
    const driver = new TableDriver()
    const session = driver.opened(0)
    driver.command(1, session, 1)
    driver.keepAlive(1, session, Number.MAX_SAFE_INTEGER)
    assert.strictEqual(tagOf(driver.command(1, session, 2)), "Acknowledged")
  })
})

describe("a snapshot", () => {
  it("holds the answers, what is acknowledged, the limits and the times", () => {
    const driver = new TableDriver()
    const session = driver.opened(0)
    driver.command(10, session, 1)
    const second = driver.command(20, session, 2, 2)
    driver.restart()
    assert.deepStrictEqual<object>(driver.command(30, session, 2), { ...second, isRepeated: true })
    assert.strictEqual(tagOf(driver.command(30, session, 1)), "Acknowledged")
    driver.restart()
    assert.strictEqual(tagOf(driver.command(1_030, session, 3)), "Expired")
  })

  it("of a newer program is refused, and says so", () => {
    const driver = new TableDriver()
    driver.opened(0)
    const section = driver.table.toSection()!
    new DataView(section.buffer).setFloat64(0, 2, true)
    assert.throws(() => driver.table.restore(section), /layout 2.*reads layout 1/)
  })

  it("that is cut off is refused", () => {
    const driver = new TableDriver()
    const session = driver.opened(0)
    driver.command(1, session, 1)
    const section = driver.table.toSection()!
    for (let length = 0; length < section.byteLength; length++) {
      assert.throws(() => driver.table.restore(section.subarray(0, length)))
    }
  })
})

/** Few sessions, few numbers and short times, so that everything meets everything. */
const Step = Schema.Struct({
  what: Schema.Literals(["Open", "Command", "Command", "Command", "KeepAlive", "Close", "Plain", "NewTerm"]),
  session: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 12 })),
  sequence: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 })),
  acknowledgedBelow: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 6 })),
  afterMillis: Schema.Literals([0, 0, 100, 700, 1_000, 2_500]),
  restarts: Schema.Literals([false, false, false, true])
})

const recordOf = (step: typeof Step.Type): SessionRecord.SessionRecord | undefined => {
  const session: SessionId = { index: step.session as LogIndex, term: 1 as Term }
  const { acknowledgedBelow, sequence, what } = step
  switch (what) {
    case "Open":
      return { _tag: "Open", limits, maxSessions: 3 }
    case "Command":
      return { _tag: "Command", session, sequence, acknowledgedBelow, command: new Uint8Array(1) }
    case "KeepAlive":
      return { _tag: "KeepAlive", session, acknowledgedBelow }
    case "Close":
      return { _tag: "Close", session }
    default:
      return undefined
  }
}

describe("the table and the naive model", () => {
  it.prop(
    "agree on every answer, and so does a node that restarts from snapshots",
    [Arbitrary.array(Arbitrary.schema(Step), { maxLength: 80 })],
    ([steps]) => {
      const [driver, restarting, model] = [new TableDriver(30), new TableDriver(30), new SessionModel()]
      let nowMillis = 0
      for (const step of steps) {
        nowMillis += step.afterMillis
        const record = recordOf(step)
        if (step.restarts) restarting.restart()
        if (record === undefined) {
          model.apply(driver.entry(nowMillis, undefined, step.what === "NewTerm" ? "NoOp" : "Command"))
          restarting.entry(nowMillis, undefined)
          for (const { table } of [driver, restarting]) {
            if (step.what === "NewTerm") table.beginTerm(nowMillis)
            else table.passTime(nowMillis)
          }
          continue
        }
        const entry = driver.entry(nowMillis, record)
        const expected = model.apply(entry)
        const answer = driver.applyEntry(entry)
        if (answer._tag === "Applied" && !answer.isRepeated)
          model.answered(entry.index, answer.reply.byteLength)
        assert.deepStrictEqual(toExpected(answer), expected)
        assert.deepStrictEqual(restarting.applyEntry(restarting.entry(nowMillis, record)), answer)
      }
      assert.deepStrictEqual(restarting.table.toSection(), driver.table.toSection())
    },
    { arbitrary: { runs: 500 } }
  )
})

describe("codecs", () => {
  it("records are the same after encoding and decoding, whatever they are", () => {
    const session: SessionId = { index: 12 as LogIndex, term: 3 as Term }
    const records: ReadonlyArray<SessionRecord.SessionRecord> = [
      { _tag: "Open", limits, maxSessions: 9 },
      { _tag: "Command", session, sequence: 5, acknowledgedBelow: 4, command: Uint8Array.of(1, 2, 3) },
      { _tag: "Command", session, sequence: 5, acknowledgedBelow: 4, command: new Uint8Array(0) },
      { _tag: "KeepAlive", session, acknowledgedBelow: 4 },
      { _tag: "Close", session }
    ]
    for (const record of records) {
      const bytes = SessionRecord.encode(record)
      assert.deepStrictEqual(SessionRecord.decode(bytes), record)
      if (record._tag !== "Command") assert.isDefined(SessionRecord.problemOf(bytes.subarray(0, -1)))
    }
  })

  it("what is no record is refused with what is wrong with it", () => {
    const unnatural = SessionRecord.encode({
      _tag: "Close",
      session: { index: -1 as LogIndex, term: 1 as Term }
    })
    assert.match(SessionRecord.problemOf(new Uint8Array(0))!, /unknown kind/)
    assert.match(SessionRecord.problemOf(Uint8Array.of(9, 9))!, /unknown kind 9/)
    assert.match(SessionRecord.problemOf(unnatural)!, /-1 is no natural number/)
    assert.throws(() => SessionRecord.decode(Uint8Array.of(3)), SessionRecord.MalformedRecord)
  })

  it("answers are the same after encoding and decoding", () => {
    const driver = new TableDriver()
    const session = driver.opened(0)
    const answers = [
      driver.open(0),
      driver.open(0, { maxSessions: 1 }),
      driver.command(1, session, 1),
      driver.command(1, session, 1),
      driver.command(1, session, 2, 2),
      driver.command(1, session, 1),
      driver.keepAlive(1, session),
      driver.keepAlive(5_000, session)
    ]
    assert.strictEqual(new Set(answers.map(tagOf)).size, 6)
    for (const answer of answers) {
      assert.deepStrictEqual(SessionAnswer.decode(SessionAnswer.encode(answer)), answer)
    }
  })
})
