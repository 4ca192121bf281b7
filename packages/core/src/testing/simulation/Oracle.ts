/**
 * What clients may believe, checked against what was applied in the end.
 *
 * An acknowledged command is in the log where its client was told, once (no lost write). What was applied
 * was proposed, and no more often than it was (no phantom, exactly once). What surely did not happen is
 * not there. One client's commands stand in the order in which they were acknowledged. Time in the log
 * never goes back.
 */
import type { LogEntry } from "../../LogEntry.ts"
import * as LogIndex from "../../LogIndex.ts"
import { sameBytes } from "../invariants/sameBytes.ts"
import type { Outcome } from "../History.ts"
import type { Answer, Completed } from "../Workload.ts"

/** What became of one command, as its client saw it. */
export interface Attempt {
  readonly client: number
  /** The encoded command. */
  readonly payload: Uint8Array
  readonly outcome:
    | { readonly _tag: "Acknowledged"; readonly index: LogIndex.LogIndex }
    | { readonly _tag: "None" }
    | { readonly _tag: "Unknown" }
}

/** The commands of a history, as this oracle looks at them. */
export const attemptsOf = <Command, View>(
  history: ReadonlyArray<Completed<Command, View>>,
  encode: (command: Command) => Uint8Array
): ReadonlyArray<Attempt> => {
  const attempts: Array<Attempt> = []
  for (const { client, input, outcome } of history) {
    if (input._tag === "Read") continue
    attempts.push({ client, payload: encode(input.command), outcome: fateOf(outcome) })
  }
  return attempts
}

const fateOf = (outcome: Outcome<Answer>): Attempt["outcome"] => {
  switch (outcome._tag) {
    case "Ok":
      return { _tag: "Acknowledged", index: outcome.output.index }
    case "Fail":
      return { _tag: "None" }
    case "Unknown":
      return outcome
  }
}

/** What was applied at an index, by any node. */
export type AppliedAt = (index: LogIndex.LogIndex) => LogEntry | undefined

/** Says what is wrong, or `undefined`. */
export const check = (attempts: ReadonlyArray<Attempt>, applied: AppliedAt): string | undefined =>
  lostWrite(attempts, applied) ??
  wrongCount(attempts, applied) ??
  wrongOrder(attempts) ??
  timeGoneBack(applied)

const lostWrite = (attempts: ReadonlyArray<Attempt>, applied: AppliedAt): string | undefined => {
  for (const { client, payload, outcome } of attempts) {
    if (outcome._tag !== "Acknowledged") continue
    const entry = applied(outcome.index)
    if (entry === undefined || !sameBytes(entry.payload, payload)) {
      return `a command of client ${client} was acknowledged at index ${outcome.index}, and is not there`
    }
  }
  return undefined
}

/** How often one command was asked for, and applied. */
interface Count {
  readonly payload: Uint8Array
  acknowledged: number
  possible: number
  applied: number
  /** Of another command whose bytes have the same hash. */
  readonly other: Count | undefined
}

/** Counts by the bytes of a command. */
class Counts {
  private readonly byHash = new Map<number, Count>()

  of(payload: Uint8Array): Count {
    const hash = hashOf(payload)
    const first = this.byHash.get(hash)
    let count = first
    while (count !== undefined && !sameBytes(count.payload, payload)) count = count.other
    if (count !== undefined) return count
    const made: Count = { payload, acknowledged: 0, possible: 0, applied: 0, other: first }
    this.byHash.set(hash, made)
    return made
  }

  *[Symbol.iterator](): Generator<Count> {
    for (const first of this.byHash.values()) {
      for (let count: Count | undefined = first; count !== undefined; count = count.other) yield count
    }
  }
}

/** FNV-1a. */
const hashOf = (bytes: Uint8Array): number => {
  let hash = 0x811c9dc5
  for (let at = 0; at < bytes.byteLength; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193)
  return hash
}

const wrongCount = (attempts: ReadonlyArray<Attempt>, applied: AppliedAt): string | undefined => {
  const counts = new Counts()
  for (const { payload, outcome } of attempts) {
    if (outcome._tag === "None") continue
    const count = counts.of(payload)
    if (outcome._tag === "Acknowledged") count.acknowledged += 1
    count.possible += 1
  }
  for (const entry of entriesOf(applied)) if (entry.kind === "Command") counts.of(entry.payload).applied += 1
  for (const { acknowledged, applied, payload, possible } of counts) {
    if (applied > possible) {
      return `the command ${textOf(payload)} was applied ${applied} times, but at most ${possible} may have happened`
    }
    if (applied < acknowledged) {
      return `the command ${textOf(payload)} was acknowledged ${acknowledged} times and applied ${applied} times`
    }
  }
  return undefined
}

/** Everything that was applied; indexes have no gaps, because somebody applied each. */
const entriesOf = function* (applied: AppliedAt): Generator<LogEntry> {
  for (let index = LogIndex.plus(LogIndex.zero, 1); ; index = LogIndex.plus(index, 1)) {
    const entry = applied(index)
    if (entry === undefined) return
    yield entry
  }
}

const wrongOrder = (attempts: ReadonlyArray<Attempt>): string | undefined => {
  const lastIndex = new Map<number, LogIndex.LogIndex>()
  for (const { client, outcome } of attempts) {
    if (outcome._tag !== "Acknowledged") continue
    const last = lastIndex.get(client)
    if (last !== undefined && outcome.index <= last) {
      return `client ${client} was told index ${outcome.index} after index ${last}`
    }
    lastIndex.set(client, outcome.index)
  }
  return undefined
}

const timeGoneBack = (applied: AppliedAt): string | undefined => {
  let lastMillis = 0
  for (const { index, timestampMillis } of entriesOf(applied)) {
    if (timestampMillis < lastMillis) {
      return `the entry at index ${index} is of ${timestampMillis} ms, the one before it of ${lastMillis} ms`
    }
    lastMillis = timestampMillis
  }
  return undefined
}

/** Bytes for a person, a character for each. */
const textOf = (bytes: Uint8Array): string => String.fromCharCode(...bytes)
