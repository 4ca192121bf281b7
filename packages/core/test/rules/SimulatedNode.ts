/**
 * One node without fibers: the rules, a disk that is as slow as the test wants, and what was said.
 *
 * It does by hand, and in plain sight, what the actor does with fibers: it keeps the writes in order of
 * their tickets, holds back what must be durable first, and forgets everything else in a crash.
 */
import * as LogEntry from "../../src/LogEntry.ts"
import * as LogIndex from "../../src/LogIndex.ts"
import type { Membership } from "../../src/Membership.ts"
import type { NodeId } from "../../src/NodeId.ts"
import type { RaftConfig } from "../../src/RaftConfig.ts"
import type { RaftMessage } from "../../src/RaftMessage.ts"
import * as RaftStorage from "../../src/RaftStorage.ts"
import type { SnapshotMeta } from "../../src/Snapshot.ts"
import * as Configurations from "../../src/consensus/Configurations.ts"
import type { Action, KeepSnapshotPiece, Persist, SendWhenDurable } from "../../src/consensus/Action.ts"
import type { Event } from "../../src/consensus/Event.ts"
import * as FirstElection from "../../src/consensus/FirstElection.ts"
import * as NodeState from "../../src/consensus/NodeState.ts"
import * as RaftLog from "../../src/consensus/RaftLog.ts"
import * as Snapshotting from "../../src/consensus/Snapshotting.ts"
import * as Transition from "../../src/consensus/Transition.ts"
import { SnapshotShelf } from "./SnapshotShelf.ts"

/** What a node wants to say to another, at the moment when it may. */
export type Send = (envelope: { readonly to: NodeId; readonly message: RaftMessage }) => void

/** An event was handled: what it changed and what it asked for. */
export interface Turn {
  readonly node: SimulatedNode
  readonly event: Event
  readonly before: NodeState.NodeState
  readonly after: NodeState.NodeState
  readonly actions: ReadonlyArray<Action>
}

export interface Options {
  readonly id: NodeId
  readonly config: RaftConfig
  readonly membership: Membership
  readonly stored: RaftStorage.StoredState
  /** What stands before the stored log. */
  readonly snapshot?: SnapshotMeta | undefined
  readonly stamp: () => NodeState.Stamp
  readonly send: Send
  /** Called after each event, before any of its messages leaves. */
  readonly onTurn: (turn: Turn) => void
}

export class SimulatedNode {
  readonly id: NodeId
  /** What a crash leaves, with {@link shelf}. */
  readonly stored: RaftStorage.StoredState
  readonly shelf: SnapshotShelf
  /**
   * The terms of the entries that a crash leaves; the one at index 1 comes first. For what the log holds no
   * more they are those of the snapshot.
   */
  readonly storedTerms: Array<number>
  /** The machine: it remembers the term of every entry that it has applied. A crash takes it. */
  machine: Array<number>
  state: NodeState.NodeState
  isUp = true
  /** Writes that are not yet on the disk, in order. */
  unwritten: Array<Persist> = []
  private held: Array<SendWhenDurable> = []
  private restarts = 0
  private readonly options: Options

  constructor(options: Options) {
    this.id = options.id
    this.options = options
    this.stored = options.stored
    this.shelf = new SnapshotShelf(options.snapshot)
    this.storedTerms = [...(this.shelf.newest?.terms ?? []), ...options.stored.blocks.flatMap(termsOfBlock)]
    this.state = this.initialState()
    this.machine = [...(this.shelf.newest?.terms ?? [])]
  }

  /** The term of what a crash leaves at an index, in the log or in the snapshot that replaces it. */
  durableTermAt(index: number): number | undefined {
    const { newest } = this.shelf
    return newest !== undefined && index <= newest.meta.lastIndex
      ? newest.terms[index - 1]
      : this.storedTerms[index - 1]
  }

  /** The terms of a log that was just brought in line with the snapshot. */
  termsAtStart(): Array<number> {
    const terms = [...this.storedTerms]
    terms.length = Math.min(terms.length, this.state.log.lastIndex)
    this.shelf.putBefore(terms, this.state.log.base)
    return terms
  }

  handle(event: Event): void {
    const before = this.state
    const { state, actions } = Transition.step(before, event, this.options.stamp())
    this.state = state
    this.options.onTurn({ node: this, event, before, after: state, actions })
    for (const action of actions) this.carryOut(action)
    this.applyCommitted()
    if (event._tag === "Persisted") this.release(event.ticket)
  }

  /** The disk takes the next `count` writes and says so once, for all of them. */
  write(count: number): void {
    const written = this.takeWrites(count)
    if (written !== undefined) {
      this.handle({ _tag: "Persisted", ticket: written.ticket, lastIndex: written.lastIndex })
    }
  }

  /** The machine gives a view of itself, which goes to the disk. Whether there was something new to write. */
  takeSnapshot(): boolean {
    const lastIndex = this.machine.length
    const lastTerm = this.machine[lastIndex - 1]
    if (lastTerm === undefined || lastIndex <= (this.state.snapshot?.lastIndex ?? 0)) return false
    const meta = {
      id: `${this.id}-${lastIndex}-${this.restarts}`,
      lastIndex: lastIndex as LogIndex.LogIndex,
      lastTerm: lastTerm as SnapshotMeta["lastTerm"],
      lastTimestampMillis: this.options.stamp().wallMillis,
      membership: Configurations.at(this.state.configurations, lastIndex as LogIndex.LogIndex)
    }
    return this.shelf.begin(meta, this.machine)
  }

  /** The disk has finished the oldest snapshot that it was given, and says so. */
  finishSnapshot(): void {
    const finished = this.shelf.finish()
    if (finished !== undefined) this.handle(finished)
  }

  /** The node dies. Of the writes that were not acknowledged `surviving` are on the disk nevertheless. */
  crash(surviving: number, options: { readonly keepsSnapshots: boolean } = { keepsSnapshots: false }): void {
    this.shelf.crash(options)
    this.takeWrites(surviving)
    this.unwritten = []
    this.held = []
    this.isUp = false
  }

  restart(): void {
    this.restarts++
    this.state = this.initialState()
    this.machine = [...(this.shelf.newest?.terms ?? [])]
    this.isUp = true
  }

  private carryOut(action: Action): void {
    if (action._tag === "Persist") this.unwritten.push(action)
    if (action._tag === "SendNow") this.options.send(action)
    if (action._tag === "SendWhenDurable") this.held.push(action)
    if (action._tag === "KeepSnapshotPiece") this.keepPiece(action)
    if (action._tag === "RestoreMachine") this.machine = [...(this.shelf.newest?.terms ?? [])]
  }

  /** As the actor does: the leader is told while it leads, and in a durable term. */
  private keepPiece({ from, piece }: KeepSnapshotPiece): void {
    const offset = this.shelf.keep(from, piece)
    const { durability, currentTerm: term } = this.state
    if (offset === undefined || durability.hardState > durability.persisted) return
    const news = { snapshotId: piece.snapshot.id, offset, matchIndex: LogIndex.zero }
    this.options.send({ to: from, message: { _tag: "InstallSnapshotReply", term, ...news } })
  }

  private applyCommitted(): void {
    const { commitIndex, log } = this.state
    while (this.machine.length < commitIndex) {
      const next = (this.machine.length + 1) as LogIndex.LogIndex
      const term = next > log.base.index ? RaftLog.termAt(log, next) : undefined
      if (term === undefined) throw new Error(`${this.id} has no entry ${next} to apply`)
      this.machine.push(term)
    }
  }

  private release(ticket: number): void {
    const due = this.held.filter((held) => held.ticket <= ticket)
    this.held = this.held.filter((held) => held.ticket > ticket)
    for (const envelope of due) this.options.send(envelope)
  }

  private takeWrites(count: number): Persist | undefined {
    const taken = this.unwritten.splice(0, count)
    for (const write of taken) this.store(write)
    return taken[taken.length - 1]
  }

  private store(write: RaftStorage.WriteBatch): void {
    const problem =
      RaftStorage.misfit(RaftStorage.extentOf(this.stored), write) ??
      RaftStorage.uncovered(write, this.shelf.newest?.meta)
    if (problem !== undefined) throw new Error(`The disk of ${this.id} refuses a write: ${problem}`)
    RaftStorage.absorb(this.stored, write)
    if (write.truncateFrom !== undefined) {
      this.storedTerms.length = Math.min(this.storedTerms.length, write.truncateFrom - 1)
    }
    if (write.base !== undefined) this.shelf.putBefore(this.storedTerms, write.base)
    for (const block of write.blocks) this.storedTerms.push(...termsOfBlock(block))
  }

  private initialState(): NodeState.NodeState {
    const stamp = this.options.stamp()
    const recovered = NodeState.initial({
      self: this.options.id,
      config: this.options.config,
      membership: this.options.membership,
      hardState: this.stored.hardState,
      base: this.stored.base,
      blocks: this.stored.blocks,
      committed: this.stored.committed,
      snapshot: this.shelf.newest?.meta,
      firstRequestId: this.restarts * 1_000_000,
      stamp
    })
    const reconciled = Snapshotting.reconcile(recovered, (action) => this.carryOut(action))
    return FirstElection.atStart(reconciled, stamp)
  }
}

const termsOfBlock = (block: LogEntry.EntryBlock): Array<number> =>
  LogEntry.entries(block).map((entry): number => entry.term)
