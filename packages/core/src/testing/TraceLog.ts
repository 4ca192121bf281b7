/**
 * The trace of a cluster, for a person: the events of all nodes in the order in which they happened, a
 * line each, in fixed columns.
 *
 * A trace depends on nothing but the seed, so two runs of a seed can be compared byte for byte; and it is
 * what a person reads when a test has failed. For programs there are the same events as JSON (TraceEvent).
 */
import type { NodeId } from "../NodeId.ts"
import type { RaftTracer } from "../RaftTrace.ts"
import { detailsOf } from "../TraceEvent.ts"
import type { TraceEvent } from "../TraceEvent.ts"
import type { TracedEntries } from "../TracedMessage.ts"
import * as TraceRecorder from "../TraceRecorder.ts"
import type { Fate } from "./FaultyDisk.ts"

/** Collects the events of many nodes. Lines are made only when somebody wants to read them. */
export class TraceLog {
  private readonly recorded: Array<TraceEvent> = []
  private readonly recorders = new Map<NodeId, TraceRecorder.TraceRecorder>()
  private readonly nowMillis: () => number

  constructor(nowMillis: () => number) {
    this.nowMillis = nowMillis
  }

  get events(): ReadonlyArray<TraceEvent> {
    return this.recorded.slice()
  }

  /** The last lines, or all of them. */
  lines(last = this.recorded.length): ReadonlyArray<string> {
    return this.recorded.slice(Math.max(0, this.recorded.length - last)).map(toColumns)
  }

  /** The tracer of a node that is about to start. */
  tracerOf(nodeId: NodeId): RaftTracer {
    const { nowMillis } = this
    const recorder = TraceRecorder.make({
      nodeId,
      nowMillis,
      emit: (event) => void this.recorded.push(event)
    })
    this.recorders.set(nodeId, recorder)
    return recorder
  }

  /** The node loses its power. */
  crash(nodeId: NodeId, unsynced: Fate): void {
    this.recorders.get(nodeId)?.onCrash(unsynced)
  }
}

/** Time, node, role, term, vote, commit index and last index; then what happened. */
const toColumns = (event: TraceEvent): string =>
  [
    event.timeMillis.toFixed(3).padStart(12),
    event.node.padEnd(4),
    event.role.padEnd(12),
    `term ${event.term}`.padEnd(8),
    `vote ${event.votedFor ?? "-"}`.padEnd(8),
    `commit ${event.commitIndex}`.padEnd(11),
    `last ${event.lastIndex}`.padEnd(9),
    describe(event)
  ].join(" ")

const describe = (event: TraceEvent): string => {
  switch (event._tag) {
    case "Received":
      return `<< ${event.from} ${describeRecord(event.message)}`
    case "Sent":
      return `>> ${event.to} ${describeRecord(event.message)}`
    default:
      return `${event._tag} ${describeFields(detailsOf(event))}`.trimEnd()
  }
}

/** Anything with a tag: the tag first, then the rest. */
const describeRecord = (record: { readonly _tag: string }): string =>
  `${record._tag} ${describeFields(Object.entries(record).filter(([field]) => field !== "_tag"))}`.trimEnd()

const describeFields = (fields: ReadonlyArray<readonly [string, unknown]>): string =>
  fields.map(([field, value]) => `${field}=${describeValue(value)}`).join(" ")

const describeValue = (value: unknown): string => {
  if (value === null) return "-"
  if (Array.isArray(value)) return `[${value.map(describeValue).join(" ")}]`
  if (typeof value !== "object") return typeof value === "string" ? value : JSON.stringify(value)
  if (isEntries(value)) return describeEntries(value)
  if ("_tag" in value) return `(${describeRecord(value as { readonly _tag: string })})`
  return `(${describeFields(Object.entries(value))})`
}

const isEntries = (value: object): value is TracedEntries => "terms" in value && "first" in value

/** `3..9@2,4:7` are the entries 3 to 9, of term 2, from 7 on of term 4. */
const describeEntries = ({ first, last, terms }: TracedEntries): string =>
  `${first}..${last}@${terms.map((run) => (run.first === first ? run.term : `${run.term}:${run.first}`)).join(",")}`
