/**
 * Looking over a node's shoulder: every turn of the actor, every message it sends, every entry it applies.
 *
 * The tracer is a `Context.Reference`, silent by default. The testing kit checks its invariants with it;
 * a program may write it to a file. A tracer must be quick and must not throw unless it wants the node
 * to stop.
 */
import * as Context from "effect/Context"
import type { Action } from "./consensus/Action.ts"
import type { Event } from "./consensus/Event.ts"
import type { NodeState } from "./consensus/NodeState.ts"
import type { LogEntry } from "./LogEntry.ts"
import type { NodeId } from "./NodeId.ts"
import type { RaftMessage } from "./RaftMessage.ts"

/** One turn: what had happened, what was decided. */
export interface Turn {
  readonly nowMillis: number
  readonly events: ReadonlyArray<Event>
  readonly before: NodeState
  readonly after: NodeState
  readonly actions: ReadonlyArray<Action>
}

export interface RaftTracer {
  /** The node starts, with what its disk held. */
  readonly onStart: (state: NodeState, nowMillis: number) => void
  readonly onTurn: (turn: Turn) => void
  readonly onSend: (to: NodeId, message: RaftMessage) => void
  /** `reply` is the machine's; `undefined` for an entry that is no command. */
  readonly onApplied: (entry: LogEntry, reply: unknown) => void
}

export const silent: RaftTracer = {
  onStart: () => {},
  onTurn: () => {},
  onSend: () => {},
  onApplied: () => {}
}

/** Makes the tracer of a node. */
export const RaftTrace = Context.Reference<(nodeId: NodeId) => RaftTracer>("@effect-raft/core/RaftTrace", {
  defaultValue: () => () => silent
})
