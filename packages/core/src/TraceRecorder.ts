/**
 * From what a node shows to its trace: turns the calls of a {@link RaftTracer} into {@link TraceEvent}s.
 *
 * One recorder follows one run of one node, from its start to its end. Events come out at once and in the
 * order in which things happened, so the recorders of a whole cluster in one process, with one clock, give
 * one trace in causal order.
 */
import type { Action, Persist } from "./consensus/Action.ts"
import type { Event } from "./consensus/Event.ts"
import type { NodeState } from "./consensus/NodeState.ts"
import { leaderOf } from "./consensus/NodeState.ts"
import * as RaftLog from "./consensus/RaftLog.ts"
import * as LogIndex from "./LogIndex.ts"
import * as Membership from "./Membership.ts"
import type { NodeId } from "./NodeId.ts"
import type { HardState } from "./RaftStorage.ts"
import type { RaftTracer, Step } from "./RaftTrace.ts"
import type { Moment, TraceEvent } from "./TraceEvent.ts"
import * as TracedMessage from "./TracedMessage.ts"

export interface Options {
  readonly nodeId: NodeId
  /** The clock of the trace. It must not go back. */
  readonly nowMillis: () => number
  readonly emit: (event: TraceEvent) => void
}

export interface TraceRecorder extends RaftTracer {
  /** The machine lost its power. What the node does from here on nobody sees, and neither does the trace. */
  readonly onCrash: (unsynced: "Lost" | "Kept") => void
}

export const make = (options: Options): TraceRecorder => {
  const { nodeId, nowMillis } = options
  let { emit } = options
  let state: NodeState
  /** What the disk holds, and what is on its way there, oldest first. */
  let durable: HardState
  let underWay: Array<{ readonly ticket: number; readonly hardState: HardState }> = []
  const votersOf = rememberingLast(votersIn)

  const moment = (): Moment => ({
    node: nodeId,
    timeMillis: toMicroseconds(nowMillis()),
    term: state.currentTerm,
    votedFor: state.votedFor,
    role: state.role._tag,
    leader: leaderOf(state),
    commitIndex: state.commitIndex,
    lastIndex: state.log.lastIndex,
    ...votersOf(state.membership)
  })

  const onEvent = (event: Event): void => {
    switch (event._tag) {
      case "Received": {
        const message = TracedMessage.ofMessage(event.message)
        return emit({ _tag: "Received", ...moment(), from: event.from, message })
      }
      case "ElectionDue":
        return emit({ _tag: "TimerFired", ...moment(), timer: "Election" })
      case "HeartbeatDue":
        return emit({ _tag: "TimerFired", ...moment(), timer: "Heartbeat" })
      case "ReadRetryDue":
        return emit({ _tag: "TimerFired", ...moment(), timer: "ReadRetry" })
      case "Proposed": {
        const commandBytes = event.drafts.map((draft) => draft.payload.byteLength)
        return emit({ _tag: "Proposed", ...moment(), commandBytes })
      }
      case "ReadsRequested":
        return emit({ _tag: "ReadsRequested", ...moment(), readIds: event.readIds })
      case "MembershipRequested":
        return emit({ _tag: "MembershipRequested", ...moment(), change: event.change })
      case "TransferRequested":
        return emit({ _tag: "TransferRequested", ...moment(), to: event.to })
      case "PeerLost":
        return emit({ _tag: "PeerLost", ...moment(), peer: event.peer })
      case "PeersFound":
        return emit({ _tag: "PeersFound", ...moment(), peers: event.peers })
      case "Persisted": {
        durable = underWay.findLast((write) => write.ticket <= event.ticket)?.hardState ?? durable
        underWay = underWay.filter((write) => write.ticket > event.ticket)
        const durableIndex = event.lastIndex as LogIndex.LogIndex
        return emit({ _tag: "Durable", ...moment(), ticket: event.ticket, hardState: durable, durableIndex })
      }
      case "SnapshotTaken":
        return emit({ _tag: "SnapshotTaken", ...moment(), snapshot: event.snapshot })
      case "SnapshotReceived":
        return emit({ _tag: "SnapshotReceived", ...moment(), from: event.from, snapshot: event.snapshot })
    }
  }

  const onStep = ({ before, after, actions }: Step): void => {
    state = after
    const previous = { role: before.role._tag, term: before.currentTerm, leader: leaderOf(before) }
    if (
      previous.role !== after.role._tag ||
      previous.term !== after.currentTerm ||
      previous.leader !== leaderOf(after)
    ) {
      emit({ _tag: "RoleChanged", ...moment(), previous })
    }
    for (const action of actions) if (action._tag === "Persist") onPersist(before, action)
    if (before.membership !== after.membership) {
      emit({ _tag: "ConfigurationAdopted", ...moment(), membership: after.membership })
    }
    if (before.commitIndex !== after.commitIndex) {
      emit({ _tag: "Committed", ...moment(), previousCommitIndex: before.commitIndex })
    }
    for (const action of actions) onAnswer(action)
  }

  const onPersist = (before: NodeState, { ticket, hardState, truncateFrom, base, blocks }: Persist): void => {
    if (hardState !== undefined) {
      underWay.push({ ticket, hardState })
      emit({ _tag: "HardStateChanged", ...moment(), ticket, hardState })
    }
    const cut = truncateFrom ?? LogIndex.plus(before.log.lastIndex, 1)
    if (cut <= before.log.lastIndex) {
      const count = before.log.lastIndex - cut + 1
      emit({ _tag: "Truncated", ...moment(), ticket, fromIndex: cut, count })
    }
    if (base !== undefined) emit({ _tag: "LogBaseMoved", ...moment(), ticket, base })
    const entries = TracedMessage.ofBlocks(blocks)
    if (entries !== null) emit({ _tag: "Appended", ...moment(), ticket, entries })
  }

  const onAnswer = (action: Action): void => {
    switch (action._tag) {
      case "ProposalsRefused":
        return emit({ _tag: "ProposalsRefused", ...moment(), because: action.because })
      case "MembershipRefused": {
        const because = action.because === "NotLeader" ? action.because : action.because._tag
        return emit({ _tag: "MembershipRefused", ...moment(), because })
      }
      case "MembershipSettled": {
        const { index, membership } = action
        return emit({ _tag: "MembershipSettled", ...moment(), index, membership })
      }
      case "TransferBegun":
      case "TransferAbandoned":
        return emit({ _tag: action._tag, ...moment(), to: action.to })
      case "TransferRefused":
        return emit({ _tag: "TransferRefused", ...moment(), because: action.because })
      case "ReadsConfirmed": {
        const { readIds, readIndex } = action
        return emit({ _tag: "ReadsConfirmed", ...moment(), readIds, readIndex })
      }
      case "ReadsRefused":
        return emit({ _tag: "ReadsRefused", ...moment(), readIds: action.readIds })
      default:
        return undefined
    }
  }

  return {
    onStart: (initial) => {
      state = initial
      durable = { currentTerm: state.currentTerm, votedFor: state.votedFor }
      const { log, membership, snapshot } = state
      const blocks = RaftLog.blocksBetween(log, LogIndex.plus(log.base.index, 1), log.lastIndex)
      emit({
        _tag: "Started",
        ...moment(),
        recovered: state.currentTerm > 0,
        log: TracedMessage.ofBlocks(blocks),
        base: log.base,
        snapshot: snapshot ?? null,
        membership
      })
    },
    onEvent,
    onStep,
    onSend: (to, message) =>
      emit({ _tag: "Sent", ...moment(), to, message: TracedMessage.ofMessage(message) }),
    onApplied: ({ index, term, kind }) =>
      emit({ _tag: "Applied", ...moment(), index, entryTerm: term, kind }),
    onRestored: (index) => emit({ _tag: "Restored", ...moment(), index }),
    onStop: (reason) => emit({ _tag: "Stopped", ...moment(), reason: reason._tag, detail: reason.message }),
    onCrash: (unsynced) => {
      emit({ _tag: "Crashed", ...moment(), unsynced })
      emit = () => {}
    }
  }
}

const toMicroseconds = (millis: number): number => Math.round(millis * 1_000) / 1_000

const votersIn = (membership: Membership.Membership): Pick<Moment, "voters" | "outgoing"> => {
  const [voters = [], outgoing] = Membership.votingSets(membership)
  return outgoing === undefined ? { voters } : { voters, outgoing }
}

/** Memberships seldom change, and stand in every line. */
const rememberingLast = <A extends object, B>(f: (input: A) => B): ((input: A) => B) => {
  let last: { readonly input: A; readonly output: B } | undefined
  return (input) => {
    if (last?.input !== input) last = { input, output: f(input) }
    return last.output
  }
}
