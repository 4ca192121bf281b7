/**
 * What clients may believe, checked against what was applied in the end.
 *
 * An acknowledged command is in the log where its client was told, and no two clients were told the same place
 * (no lost write). What else was applied was proposed by somebody who does not know what became of it, and no
 * more often than it was (no phantom, exactly once). What surely did not happen is not there. One client's
 * commands stand in the order in which they were acknowledged. Time in the log never goes back.
 */
import * as Bytes from "effect/Bytes"
import type { LogEntry } from "../../LogEntry.ts"
import * as LogIndex from "../../LogIndex.ts"
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

/** The commands of a history, as this oracle looks at them: each once, and none is kept. */
export const attemptsOf = function* <Command, View>(
  history: ReadonlyArray<Completed<Command, View>>,
  encode: (command: Command) => Uint8Array
): Generator<Attempt> {
  for (const { client, input, outcome } of history) {
    if (input._tag === "Read") continue
    yield { client, payload: encode(input.command), outcome: fateOf(outcome) }
  }
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
export const check = (attempts: Iterable<Attempt>, applied: AppliedAt): string | undefined => {
  const claims = new Claims()
  const uncertain = new Counts()
  for (const { client, payload, outcome } of attempts) {
    if (outcome._tag === "Unknown") {
      uncertain.of(payload).possible += 1
    } else if (outcome._tag === "Acknowledged") {
      const wrong = lostWrite(client, payload, outcome.index, applied) ?? claims.claim(client, outcome.index)
      if (wrong !== undefined) return wrong
    }
  }
  return phantom(claims, uncertain, applied) ?? timeGoneBack(applied)
}

const lostWrite = (
  client: number,
  payload: Uint8Array,
  index: LogIndex.LogIndex,
  applied: AppliedAt
): string | undefined => {
  const entry = applied(index)
  return entry === undefined || !Bytes.Equivalence(entry.payload, payload)
    ? `a command of client ${client} was acknowledged at index ${index}, and is not there`
    : undefined
}

/** Which index was said to be whose. */
class Claims {
  private readonly clients: Array<number | undefined> = []
  private readonly lastIndex = new Map<number, LogIndex.LogIndex>()

  /** A client was told that its command is at `index`. */
  claim(client: number, index: LogIndex.LogIndex): string | undefined {
    const other = this.clients[index]
    if (other !== undefined) return `clients ${other} and ${client} were both told index ${index}`
    const last = this.lastIndex.get(client)
    if (last !== undefined && index <= last)
      return `client ${client} was told index ${index} after index ${last}`
    this.clients[index] = client
    this.lastIndex.set(client, index)
    return undefined
  }

  has(index: LogIndex.LogIndex): boolean {
    return this.clients[index] !== undefined
  }
}

/** How often one command may have happened, and was applied, beside those that were acknowledged. */
interface Count {
  readonly payload: Uint8Array
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
    while (count !== undefined && !Bytes.Equivalence(count.payload, payload)) count = count.other
    if (count !== undefined) return count
    const made: Count = { payload, possible: 0, applied: 0, other: first }
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

/** Every command that was applied is one that was acknowledged there, or one of which nobody knows. */
const phantom = (claims: Claims, uncertain: Counts, applied: AppliedAt): string | undefined => {
  for (const { index, kind, payload } of entriesOf(applied)) {
    if (kind === "Command" && !claims.has(index)) uncertain.of(payload).applied += 1
  }
  for (const { applied, payload, possible } of uncertain) {
    if (applied > possible) {
      return (
        `the command ${textOf(payload)} was applied ${applied} times beside those that were acknowledged, ` +
        `but only ${possible} more may have happened`
      )
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
