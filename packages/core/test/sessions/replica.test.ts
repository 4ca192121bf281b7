/**
 * The machine and the sessions beside it, as one snapshot.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Membership from "../../src/Membership.ts"
import * as Replica from "../../src/internal/Replica.ts"
import type { LogEntry } from "../../src/LogEntry.ts"
import * as LogIndex from "../../src/LogIndex.ts"
import type { SessionAnswer } from "../../src/sessions/SessionAnswer.ts"
import * as SessionRecord from "../../src/sessions/SessionRecord.ts"
import type { SnapshotMeta } from "../../src/Snapshot.ts"
import * as StateMachine from "../../src/StateMachine.ts"
import { Term } from "../../src/Term.ts"
import { Journal } from "../cluster/Journal.ts"
import { limits } from "./TableDriver.ts"

const { machine } = Journal

const entry = (index: number, kind: LogEntry["kind"], payload: Uint8Array): LogEntry => ({
  index: LogIndex.plus(LogIndex.zero, index),
  term: Term.make(1),
  kind,
  timestampMillis: index,
  payload
})

const plain = (index: number, text: string) => entry(index, "Command", machine.command.encode(text))

const session = { index: LogIndex.plus(LogIndex.zero, 1), term: Term.make(1) }

const ofSession = (index: number, sequence: number, text: string) =>
  entry(
    index,
    "Session",
    SessionRecord.encode({
      _tag: "Command",
      session,
      sequence,
      acknowledgedBelow: 1,
      command: machine.command.encode(text)
    })
  )

const opening = entry(1, "Session", SessionRecord.encode({ _tag: "Open", limits, maxSessions: 1 }))

const metaOf = (sessionBytes: number): SnapshotMeta => ({
  id: "s",
  lastIndex: LogIndex.plus(LogIndex.zero, 9),
  lastTerm: Term.make(1),
  lastTimestampMillis: 9,
  membership: Membership.ofVoters({ n1: "n1" }),
  ...(sessionBytes === 0 ? undefined : { sessionBytes })
})

const bytesOf = (pieces: Iterable<Uint8Array>): Uint8Array =>
  Uint8Array.from([...pieces].flatMap((piece) => [...piece]))

const restore = (replica: Replica.Replica<unknown>, meta: SnapshotMeta, pieces: Iterable<Uint8Array>): void =>
  StateMachine.restoreFrom({ restore: () => replica.restore(meta) }, pieces)

/** Cut in pieces of one size, as a disk gives them back. */
const cut = (bytes: Uint8Array, size: number): ReadonlyArray<Uint8Array> =>
  Array.from({ length: Math.ceil(bytes.byteLength / size) }, (_, i) =>
    bytes.subarray(i * size, (i + 1) * size)
  )

describe("Replica", () => {
  it("gives back machine and sessions, however its pieces are cut", () => {
    const one = Replica.make(machine)
    for (const each of [opening, plain(2, "a"), ofSession(3, 1, "b")]) one.apply(each)
    const { pieces, sessionBytes } = one.snapshot()
    const bytes = bytesOf(pieces)
    assert.isAbove(sessionBytes, 0)
    for (const size of [1, 7, sessionBytes - 1, sessionBytes, sessionBytes + 1, bytes.byteLength]) {
      const other = Replica.make(machine)
      restore(other, metaOf(sessionBytes), cut(bytes, size))
      assert.deepStrictEqual(other.view(), ["a", "b"])
      const again = other.apply(ofSession(4, 1, "b")) as object
      assert.deepInclude(again, { _tag: "Applied", index: 3, isRepeated: true })
      assert.deepStrictEqual(other.view(), ["a", "b"])
    }
  })

  it("a snapshot is of its moment: what comes later does not change it", () => {
    const one = Replica.make(machine)
    for (const each of [opening, ofSession(2, 1, "a")]) one.apply(each)
    const { pieces, sessionBytes } = one.snapshot()
    one.apply(ofSession(3, 2, "b"))
    const other = Replica.make(machine)
    restore(other, metaOf(sessionBytes), pieces)
    assert.deepInclude(other.apply(ofSession(3, 2, "b")) as object, { isRepeated: false })
    assert.deepStrictEqual(other.view(), ["a", "b"])
  })

  it("without sessions a snapshot is the machine's alone, as before there were sessions", () => {
    const one = Replica.make(machine)
    one.apply(plain(1, "a"))
    const { pieces, sessionBytes } = one.snapshot()
    assert.strictEqual(sessionBytes, 0)
    const instance = machine.make()
    StateMachine.restoreFrom(instance, pieces)
    assert.deepStrictEqual(instance.view(), ["a"])
  })

  it("reads a snapshot of the time before sessions, and forgets the sessions that it had", () => {
    const instance = machine.make()
    instance.apply("old", {
      index: LogIndex.plus(LogIndex.zero, 1),
      term: Term.make(1),
      timestampMillis: 1,
      machineVersion: 0
    })
    const one = Replica.make(machine)
    one.apply(opening)
    restore(one, metaOf(0), instance.snapshot())
    assert.deepStrictEqual(one.view(), ["old"])
    assert.strictEqual((one.apply(ofSession(3, 1, "x")) as SessionAnswer)._tag, "Expired")
  })

  it("refuses a snapshot that is shorter than its sessions", () => {
    assert.throws(() => restore(Replica.make(machine), metaOf(100), [new Uint8Array(99)]), /99 bytes/)
  })
})
