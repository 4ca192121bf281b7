/**
 * The turns of the actor. Nothing else assigns a node's state.
 *
 * A turn takes what waits in the mailbox, folds the rules over it, and only then acts, in this order: the
 * new state is in place; replicators send, and messages that need no disk go out; the log writer gets what
 * must become durable; callers are answered and the applier learns what is committed, after everything else
 * because that runs the callers' code. Up to there a turn is one synchronous run. Then the role's Scope
 * follows the role, which waits for nothing but the fibers of a role that ends.
 */
import * as Effect from "effect/Effect"
import type { Action, Persist } from "../consensus/Action.ts"
import type { Event } from "../consensus/Event.ts"
import * as NodeState from "../consensus/NodeState.ts"
import type * as LogIndex from "../LogIndex.ts"
import type { RaftErrorReason } from "../RaftError.ts"
import { NotLeader } from "../RaftError.ts"
import type { RaftTracer } from "../RaftTrace.ts"
import type { Applier } from "./Applier.ts"
import * as Intake from "./Intake.ts"
import type { EarlyLooks } from "./EarlyLooks.ts"
import type { LogWriter } from "./LogWriter.ts"
import type * as Mailbox from "./Mailbox.ts"
import type { OperatorCalls } from "./OperatorCalls.ts"
import type { Outbox } from "./Outbox.ts"
import type { PeerDirectory } from "./PeerDirectory.ts"
import type { Rules } from "./RaftRules.ts"
import type { ReadSlots } from "./ReadSlots.ts"
import * as Reasons from "./Reasons.ts"
import type { ProposalSlot, ReplySlots } from "./ReplySlots.ts"
import type { ReusedMemory } from "./ReusedMemory.ts"
import type { RoleScope } from "./RoleScope.ts"
import type { SnapshotReceiver } from "./SnapshotReceiver.ts"
import type { Snapshotter } from "./Snapshotter.ts"
import type { Watchers } from "./Watchers.ts"

/** A busy actor yields after this many turns, or after this long, whichever comes first. */
const maxTurnsInARow = 16
const maxAwakeMillis = 2

/** What a node knows. Turns assign it, everybody else reads it. */
export interface Knowledge {
  state: NodeState.NodeState
}

/** Whom a turn asks, and whom it tells. */
export interface Parts<View> {
  readonly rules: Rules
  readonly tracer: RaftTracer
  readonly readStamp: () => NodeState.Stamp
  readonly nowMillis: () => number
  readonly isStopped: () => boolean
  readonly mailbox: Mailbox.Mailbox
  readonly slots: ReplySlots
  readonly readSlots: ReadSlots
  readonly earlyLooks: EarlyLooks
  readonly operators: OperatorCalls
  readonly peerDirectory: PeerDirectory
  readonly roleScope: RoleScope
  readonly outbox: Outbox
  readonly logWriter: LogWriter
  readonly applier: Applier<View>
  readonly snapshotter: Snapshotter
  readonly receiver: SnapshotReceiver
  readonly watchers: Watchers
  /** Left out where the log's memory is the collector's. */
  readonly memory: ReusedMemory | undefined
}

export interface Turns {
  /** Turn after turn, until the mailbox is empty, or the actor's fiber has something to run. */
  readonly work: () => Effect.Effect<void> | undefined
  /** The node ends: whoever was taken from the mailbox and not yet placed is answered. */
  readonly failAll: (reason: RaftErrorReason) => void
}

export const make = <View>(node: Knowledge, parts: Parts<View>): Turns => {
  const { isStopped, mailbox, nowMillis, rules, tracer } = parts
  const {
    applier,
    earlyLooks,
    logWriter,
    operators,
    outbox,
    peerDirectory,
    readSlots,
    roleScope,
    slots,
    watchers
  } = parts

  /** Turns since the actor last waited, and when that was. */
  let turnsInARow = 0
  let awakeSinceMillis = 0
  /** Proposals that the present turn has taken from the mailbox and not yet placed. */
  let inHand: ReadonlyArray<ProposalSlot> = []

  const work = (): Effect.Effect<void> | undefined => {
    while (!isStopped() && !mailbox.isEmpty()) {
      const afterwards = turn(mailbox.takeBatch())
      if (afterwards !== undefined) return afterwards
      if (isTired()) return Effect.yieldNow
    }
    return undefined
  }

  // An idle actor rests at its mailbox; a busy one lets the event loop turn now and then.
  const isTired = (): boolean => {
    turnsInARow = mailbox.isEmpty() ? 0 : turnsInARow + 1
    if (turnsInARow === 0) return false
    if (turnsInARow < maxTurnsInARow && nowMillis() - awakeSinceMillis < maxAwakeMillis) return false
    turnsInARow = 0
    return true
  }

  /** What it gives is for the actor's fiber to run before the next turn. */
  const turn = (batch: Mailbox.Batch): Effect.Effect<void> | undefined => {
    const before = node.state
    const { events, readIds, slots: proposed } = Intake.workOf(batch, readSlots)
    inHand = proposed
    const stamp = parts.readStamp()
    if (turnsInARow === 0) awakeSinceMillis = stamp.nowMillis
    const actions: Array<Action> = []
    const unwritten = decide(events, stamp, actions)
    const { state } = node
    tracer.onTurn?.({ nowMillis: stamp.nowMillis, events, before, after: state, actions })

    peerDirectory.onTurn(before, state)
    roleScope.onTurn(state)
    outbox.release(actions, state.durability.persisted)
    place(proposed, actions)
    inHand = []
    // What is written at once may fail at once; then everybody has been answered.
    logWriter.enqueue(unwritten)
    if (isStopped()) return undefined
    if (isNotable(before, state)) watchers.notify()
    answer(before, actions)
    if (readIds.length > 0) earlyLooks.offer(readIds)
    parts.memory?.tidy(node.state)
    return followRole(actions)
  }

  /** Folds the rules over `events`; gives what is to be written. */
  const decide = (
    events: Array<Event>,
    stamp: NodeState.Stamp,
    actions: Array<Action>
  ): ReadonlyArray<Persist> => {
    const emit = (action: Action) => {
      actions.push(action)
    }
    for (const event of events) step(event, stamp, actions, emit)
    let unwritten = persistsFrom(actions, 0)
    // In memory it is durable within the turn.
    let done = logWriter.writeNow(unwritten)
    while (done !== undefined) {
      const firstAction = actions.length
      events.push(done)
      step(done, stamp, actions, emit)
      unwritten = persistsFrom(actions, firstAction)
      done = logWriter.writeNow(unwritten)
    }
    return unwritten
  }

  const step = (
    event: Event,
    stamp: NodeState.Stamp,
    actions: ReadonlyArray<Action>,
    emit: (action: Action) => void
  ): void => {
    const before = node.state
    const firstAction = actions.length
    tracer.onEvent?.(event)
    node.state = rules(before, event, stamp, emit)
    tracer.onStep?.({ before, after: node.state, actions: actions.slice(firstAction) })
  }

  /** Where what was asked for stands now: in the log, or nowhere. */
  const place = (proposed: ReadonlyArray<ProposalSlot>, actions: ReadonlyArray<Action>): void => {
    for (const action of actions) {
      if (action._tag === "ProposalsAppended") {
        proposed.forEach((slot, i) => {
          slots.add({ index: (action.firstIndex + i) as LogIndex.LogIndex, term: action.term }, slot)
        })
      } else if (action._tag === "ProposalsRefused") {
        const reason = Reasons.refusal(action.because, node.state)
        for (const slot of proposed) slot.onFailed(reason)
      }
    }
  }

  const answer = (before: NodeState.NodeState, actions: ReadonlyArray<Action>): void => {
    const { state } = node
    for (const action of actions) {
      if (action._tag === "KeepSnapshotPiece") parts.receiver.keep(action)
      if (action._tag === "RestoreMachine") {
        applier.restore(action.snapshot.lastIndex)
        parts.snapshotter.startAfter(action.snapshot.lastIndex)
      }
    }
    const hasLostOffice = before.role._tag === "Leader" && state.role._tag !== "Leader"
    operators.onTurn(before, state, actions)
    if (hasLostOffice) slots.failAfter(state.commitIndex)
    for (const action of actions) {
      if (action._tag === "ReadsConfirmed") {
        applier.whenApplied(action.readIndex, () => readSlots.confirm(action.readIds, action.readIndex))
      } else if (action._tag === "ReadsRefused") {
        readSlots.fail(action.readIds, new NotLeader({ leader: NodeState.leaderOf(state) }))
      }
    }
    applier.advance(state.log, state.commitIndex)
  }

  const followRole = (actions: ReadonlyArray<Action>): Effect.Effect<void> | undefined => {
    const reconciled = roleScope.reconcile(node.state)
    const forgot = actions.find((action) => action._tag === "PeerForgot")
    if (forgot === undefined) return reconciled
    return Effect.andThen(Effect.logError(Reasons.forgetfulness(forgot)), reconciled ?? Effect.void)
  }

  return {
    work,
    failAll: (reason) => {
      for (const slot of inHand) slot.onFailed(reason)
    }
  }
}

export const isPersist = (action: Action): action is Persist => action._tag === "Persist"

const nothing: ReadonlyArray<Persist> = []

/** What is to be written of the actions from `first` on; mostly nothing. */
const persistsFrom = (actions: ReadonlyArray<Action>, first: number): ReadonlyArray<Persist> => {
  let found: Array<Persist> | undefined
  for (let at = first; at < actions.length; at++) {
    const action = actions[at]!
    if (!isPersist(action)) continue
    if (found === undefined) found = [action]
    else found.push(action)
  }
  return found ?? nothing
}

/** What those who watch a node are told of. */
const isNotable = (before: NodeState.NodeState, after: NodeState.NodeState): boolean =>
  before.role._tag !== after.role._tag ||
  before.currentTerm !== after.currentTerm ||
  before.membership !== after.membership ||
  NodeState.transferTo(before) !== NodeState.transferTo(after) ||
  NodeState.leaderOf(before) !== NodeState.leaderOf(after)
