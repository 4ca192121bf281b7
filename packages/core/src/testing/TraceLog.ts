/**
 * The trace of a cluster as lines of text: what each node was told, what it decided, what it said.
 *
 * A trace depends on nothing but the seed, so two runs of a seed can be compared byte for byte; and it is
 * what a person reads when a test has failed.
 */
import type { Event } from "../consensus/Event.ts"
import type { NodeState } from "../consensus/NodeState.ts"
import { leaderOf } from "../consensus/NodeState.ts"
import * as LogEntry from "../LogEntry.ts"
import type { NodeId } from "../NodeId.ts"
import type { RaftMessage } from "../RaftMessage.ts"
import type { RaftTracer } from "../RaftTrace.ts"

/** Collects the lines of many nodes, in the order in which things happened. */
export class TraceLog {
  private readonly kept: Array<string> = []
  private readonly nowMillis: () => number

  constructor(nowMillis: () => number) {
    this.nowMillis = nowMillis
  }

  get lines(): ReadonlyArray<string> {
    return this.kept
  }

  add(nodeId: NodeId, what: string): void {
    this.kept.push(`${this.nowMillis().toFixed(3).padStart(12)} ${nodeId.padEnd(4)} ${what}`)
  }

  tracerOf(nodeId: NodeId): RaftTracer {
    return {
      onStart: (state) => this.add(nodeId, `start ${describeState(state)}`),
      onTurn: ({ events, before, after }) => {
        for (const event of events) this.add(nodeId, describeEvent(event))
        const [was, is] = [describeState(before), describeState(after)]
        if (was !== is) this.add(nodeId, `  -> ${is}`)
      },
      onSend: (to, message) => this.add(nodeId, `  ${to} << ${describeMessage(message)}`),
      onApplied: (entry) => this.add(nodeId, `  applied ${entry.index} of term ${entry.term} (${entry.kind})`)
    }
  }
}

const describeState = (state: NodeState): string =>
  [
    state.role._tag,
    `term ${state.currentTerm}`,
    `vote ${state.votedFor ?? "-"}`,
    `leader ${leaderOf(state) ?? "-"}`,
    `commit ${state.commitIndex}`,
    `durable ${state.durability.index}`,
    `last ${state.log.lastIndex} of term ${state.log.lastTerm}`
  ].join(", ")

const describeEvent = (event: Event): string => {
  switch (event._tag) {
    case "Received":
      return `${event.from} >> ${describeMessage(event.message)}`
    case "Proposed":
      return `proposed ${event.drafts.length}`
    case "ReadsRequested":
      return `reads ${event.readIds.join(",")}`
    case "Persisted":
      return `persisted ${event.ticket} (last ${event.lastIndex})`
    case "PeerLost":
      return `lost ${event.peer}`
    default:
      return event._tag
  }
}

const describeMessage = (message: RaftMessage): string =>
  `${message._tag} ${Object.entries(message)
    .filter(([key]) => key !== "_tag")
    .map(([key, value]) => `${key}=${describeField(key, value)}`)
    .join(" ")}`

const describeField = (key: string, value: unknown): string => {
  if (key === "blocks") {
    const blocks = value as ReadonlyArray<LogEntry.EntryBlock>
    return `[${blocks.map((block) => `${block.firstIndex}..${LogEntry.lastIndex(block)}`).join(" ")}]`
  }
  return key === "commands" ? `${(value as ReadonlyArray<unknown>).length}` : JSON.stringify(value, showBytes)
}

const showBytes = (_key: string, value: unknown): unknown =>
  value instanceof Uint8Array ? `${value.byteLength} bytes` : value
