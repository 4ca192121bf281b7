/**
 * Clients of the key-value machine for the simulator, and the check of what they were told: for every key
 * the history must be that of one copy (linearizability).
 *
 * Every value is written once, so a revision stands for a value, and compare-and-set on a revision can be
 * judged as compare-and-set on the value.
 */
import * as KvModel from "@effect-raft/core/testing/KvModel"
import * as Linearizability from "@effect-raft/core/testing/Linearizability"
import type { Completed, Request, Turn, Workload } from "@effect-raft/core/testing/Workload"
import type { KvCommand, KvReply } from "@effect-raft/kv/KvCommand"
import type { KvView } from "@effect-raft/kv/KvMachine"
import * as Values from "./Values.ts"

/** What a read found: the text and its revision. */
interface Found {
  readonly text: string
  readonly revision: number
}

const keys = ["a", "b", "c"] as const

const find =
  (key: string) =>
  (view: KvView): Found | null => {
    const stored = view.get(key)
    return stored === undefined ? null : { text: Values.toText(stored.value), revision: stored.revision }
  }

const next = ({ dice, client, count, last }: Turn<KvCommand, KvView>): Request<KvCommand, KvView> => {
  const key = keys[dice.within([0, keys.length - 1])]!
  const value = Values.toBytes(`${client}.${count}`)
  const seen = lastRead(last)
  // A client that has just read goes on to compare-and-set what it saw, now and then.
  if (seen !== undefined && dice.happens(0.5)) {
    const { found } = seen
    const condition =
      found === null
        ? ({ _tag: "IfAbsent" } as const)
        : ({ _tag: "IfMatch", revision: found.revision } as const)
    return { _tag: "Propose", command: { _tag: "Put", key: seen.key, value, condition } }
  }
  if (dice.happens(0.4)) return { _tag: "Read", query: find(key), about: key }
  if (dice.happens(0.15)) return { _tag: "Propose", command: { _tag: "Delete", key } }
  return { _tag: "Propose", command: { _tag: "Put", key, value } }
}

const lastRead = (last: Turn<KvCommand, KvView>["last"]) =>
  last?.input._tag === "Read" && last.outcome._tag === "Ok"
    ? { key: last.input.about!, found: last.outcome.output.value as Found | null }
    : undefined

/** The history in the words of the key-value model. */
export const operationsOf = (
  history: ReadonlyArray<Completed<KvCommand, KvView>>
): ReadonlyArray<KvModel.KvOperation> => {
  // A revision is a place in the log, so it is one key's.
  const texts = new Map<number, string>()
  for (const { input, outcome } of history) {
    if (input._tag !== "Read" || outcome._tag !== "Ok") continue
    const found = outcome.output.value as Found | null
    if (found !== null) texts.set(found.revision, found.text)
  }
  return history.map(({ client, input, callNanos, returnNanos, outcome }) => ({
    client,
    input: inputOf(input, texts),
    callNanos,
    returnNanos,
    outcome: outcome._tag === "Ok" ? { _tag: "Ok", output: outputOf(input, outcome.output.value) } : outcome
  }))
}

const inputOf = (
  request: Request<KvCommand, KvView>,
  texts: ReadonlyMap<number, string>
): KvModel.KvInput => {
  if (request._tag === "Read") return { op: "get", key: request.about! }
  const { command } = request
  const { key } = command
  if (command._tag === "Delete") return { op: "delete", key }
  const value = Values.toText(command.value)
  if (command.condition === undefined) return { op: "put", key, value }
  const expected = command.condition._tag === "IfAbsent" ? null : texts.get(command.condition.revision)!
  return { op: "cas", key, expected, value }
}

const outputOf = (request: Request<KvCommand, KvView>, value: unknown): KvModel.KvOutput => {
  if (request._tag === "Read") return (value as Found | null)?.text ?? null
  const reply = value as KvReply
  if (reply._tag === "Deleted") return reply.deleted
  return reply._tag === "Written"
}

/**
 * The order in which operations seem to have taken effect: a command at its index; a read right after the write
 * whose revision it saw, or where the key was absent, but behind everything that had returned before it began.
 */
const orderOf = (
  history: ReadonlyArray<Completed<KvCommand, KvView>>,
  operations: ReadonlyArray<KvModel.KvOperation>
): ReadonlyArray<KvModel.KvOperation> => {
  const placed: Array<Placed> = []
  history.forEach(({ input, outcome }, at) => {
    if (outcome._tag !== "Ok") return
    const operation = operations[at]!
    if (input._tag === "Propose") return placed.push({ operation, revision: 0, place: outcome.output.index })
    const revision = (outcome.output.value as Found | null)?.revision ?? 0
    return placed.push({ operation, revision, place: 0 })
  })
  for (const ofKey of Map.groupBy(placed, ({ operation }) => operation.input.key).values()) placeReads(ofKey)
  return placed
    .sort((one, other) => one.place - other.place || one.operation.callNanos - other.operation.callNanos)
    .map(({ operation }) => operation)
}

interface Placed {
  readonly operation: KvModel.KvOperation
  /** What a read saw; 0 for nothing, and for a command. */
  readonly revision: number
  /** An index of the log, or between two of them; 0 while it is not known. */
  place: number
}

/** Finds places for the reads of one key. All stand in the order of their calls. */
const placeReads = (ofKey: ReadonlyArray<Placed>): void => {
  const absences = absencesIn(ofKey)
  const byReturn = ofKey.toSorted((one, other) => one.operation.returnNanos - other.operation.returnNanos)
  let [returned, latest, absence] = [0, 0, 0]
  for (const read of ofKey) {
    for (; byReturn[returned]!.operation.returnNanos < read.operation.callNanos; returned++) {
      latest = Math.max(latest, byReturn[returned]!.place)
    }
    if (read.place > 0) continue
    while (absence < absences.length - 1 && absences[absence]!.to <= latest) absence++
    const seen = read.revision > 0 ? read.revision : absences[absence]!.from
    read.place = Math.max(latest, seen + 0.5)
  }
}

/** From which index to which one a key was absent, in order. */
const absencesIn = (
  ofKey: ReadonlyArray<Placed>
): ReadonlyArray<{ readonly from: number; readonly to: number }> => {
  const absences: Array<{ from: number; to: number }> = [{ from: 0, to: Number.POSITIVE_INFINITY }]
  const commands = ofKey.filter(({ operation }) => operation.input.op !== "get")
  for (const { operation, place } of commands.sort((one, other) => one.place - other.place)) {
    const last = absences.at(-1)!
    const isAbsent = last.to === Number.POSITIVE_INFINITY
    const output = operation.outcome._tag === "Ok" ? operation.outcome.output : null
    if (operation.input.op === "delete") {
      if (!isAbsent) absences.push({ from: place, to: Number.POSITIVE_INFINITY })
    } else if (isAbsent && output !== false) {
      last.to = place
    }
  }
  return absences
}

export const workload: Workload<KvCommand, KvView> = {
  next,
  check: (history) => {
    const operations = operationsOf(history)
    const order = orderOf(history, operations)
    const verdict = Linearizability.check(KvModel.KvModel, operations, { order })
    // A history that is too hard to judge is no failure; the other checks still hold for it.
    return verdict._tag === "NotLinearizable" ? Linearizability.render(KvModel.KvModel, verdict) : undefined
  }
}
