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
import type { Completed } from "../Workload.ts"

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
): ReadonlyArray<Attempt> =>
  history.flatMap(({ client, input, outcome }): Array<Attempt> => {
    if (input._tag === "Read") return []
    const payload = encode(input.command)
    if (outcome._tag === "Ok") {
      return [{ client, payload, outcome: { _tag: "Acknowledged", index: outcome.output.index } }]
    }
    return [{ client, payload, outcome: { _tag: outcome._tag === "Fail" ? "None" : "Unknown" } }]
  })

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

const wrongCount = (attempts: ReadonlyArray<Attempt>, applied: AppliedAt): string | undefined => {
  const counts = new Map<string, { acknowledged: number; possible: number; applied: number }>()
  const countOf = (payload: Uint8Array) => {
    const key = textOf(payload)
    let count = counts.get(key)
    if (count === undefined) counts.set(key, (count = { acknowledged: 0, possible: 0, applied: 0 }))
    return count
  }
  for (const { payload, outcome } of attempts) {
    if (outcome._tag === "None") continue
    const count = countOf(payload)
    if (outcome._tag === "Acknowledged") count.acknowledged += 1
    count.possible += 1
  }
  for (const entry of entriesOf(applied)) if (entry.kind === "Command") countOf(entry.payload).applied += 1
  for (const [key, count] of counts) {
    if (count.applied > count.possible) {
      return `the command ${key} was applied ${count.applied} times, but at most ${count.possible} may have happened`
    }
    if (count.applied < count.acknowledged) {
      return `the command ${key} was acknowledged ${count.acknowledged} times and applied ${count.applied} times`
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

/** Bytes as a key of a map, a character for each. Most commands are too short for a decoder to be worth its call. */
const textOf = (bytes: Uint8Array): string => {
  let text = ""
  for (const byte of bytes) text += String.fromCharCode(byte)
  return text
}
