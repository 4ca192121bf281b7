/**
 * Looking over a node's shoulder: what it is told, what it decides, every message it sends, every entry
 * it applies.
 *
 * The tracer is a `Context.Reference`, silent by default. The testing kit checks its invariants with it;
 * {@link TraceRecorder} makes a trace of it. A tracer must be quick and must not throw unless it wants the
 * node to stop. It sees only what it has a function for, and the rest costs nothing.
 */
import * as Context from "effect/Context"
import type { Action } from "./consensus/Action.ts"
import type { Event } from "./consensus/Event.ts"
import type { NodeState } from "./consensus/NodeState.ts"
import type { LogEntry } from "./LogEntry.ts"
import type { LogIndex } from "./LogIndex.ts"
import type { NodeId } from "./NodeId.ts"
import type { RaftErrorReason } from "./RaftError.ts"
import type { RaftMessage } from "./RaftMessage.ts"

/** What the rules made of one event. */
export interface Step {
  readonly before: NodeState
  readonly after: NodeState
  readonly actions: ReadonlyArray<Action>
}

/** One turn: what had happened, what was decided. */
export interface Turn extends Step {
  readonly nowMillis: number
  readonly events: ReadonlyArray<Event>
}

/** Every function is called in the order in which things happen, except `onTurn`, which sums its steps up. */
export interface RaftTracer {
  /** The node starts, with what its disk held. */
  readonly onStart?: ((state: NodeState, nowMillis: number) => void) | undefined
  /**
   * The rules are about to look at an event. A message that goes round the rules, because it is only about
   * passing commands on, is told as `Received` too.
   */
  readonly onEvent?: ((event: Event) => void) | undefined
  /** The rules have looked at the event. A turn has as many steps as events. */
  readonly onStep?: ((step: Step) => void) | undefined
  readonly onTurn?: ((turn: Turn) => void) | undefined
  /** A message is about to be given to the transport, which may drop it. */
  readonly onSend?: ((to: NodeId, message: RaftMessage) => void) | undefined
  /** The machine was restored from a snapshot that ends at `index`. */
  readonly onRestored?: ((index: LogIndex) => void) | undefined
  /** `reply` is the machine's, or a session's `SessionAnswer`; `undefined` for every other entry. */
  readonly onApplied?: ((entry: LogEntry, reply: unknown) => void) | undefined
  /** The node ends: because it was told to, or because it failed. */
  readonly onStop?: ((reason: RaftErrorReason) => void) | undefined
}

export const silent: RaftTracer = {}

/** Several tracers as one. Each sees everything, in the order given, until one throws. */
export const all = (tracers: ReadonlyArray<RaftTracer>): RaftTracer => ({
  onStart: callAllWithTwo(tracers.map((tracer) => tracer.onStart)),
  onEvent: callAll(tracers.map((tracer) => tracer.onEvent)),
  onStep: callAll(tracers.map((tracer) => tracer.onStep)),
  onTurn: callAll(tracers.map((tracer) => tracer.onTurn)),
  onSend: callAllWithTwo(tracers.map((tracer) => tracer.onSend)),
  onRestored: callAll(tracers.map((tracer) => tracer.onRestored)),
  onApplied: callAllWithTwo(tracers.map((tracer) => tracer.onApplied)),
  onStop: callAll(tracers.map((tracer) => tracer.onStop))
})

/** One call for all of them; none where nobody looks. */
const callAll = <A>(
  calls: ReadonlyArray<((seen: A) => void) | undefined>
): ((seen: A) => void) | undefined => {
  const present = calls.filter((call) => call !== undefined)
  if (present.length <= 1) return present[0]
  return (seen) => {
    for (const call of present) call(seen)
  }
}

/** The same for those with two arguments: a rest parameter would cost an array for each call. */
const callAllWithTwo = <A, B>(
  calls: ReadonlyArray<((first: A, second: B) => void) | undefined>
): ((first: A, second: B) => void) | undefined => {
  const present = calls.filter((call) => call !== undefined)
  if (present.length <= 1) return present[0]
  return (first, second) => {
    for (const call of present) call(first, second)
  }
}

/** Makes the tracer of a node. */
export const RaftTrace = Context.Reference<(nodeId: NodeId) => RaftTracer>("@effect-raft/core/RaftTrace", {
  defaultValue: () => () => silent
})
