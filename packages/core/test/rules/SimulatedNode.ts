/**
 * One node without fibers: the rules, a disk that is as slow as the test wants, and what was said.
 *
 * It does by hand, and in plain sight, what the actor does with fibers: it keeps the writes in order of
 * their tickets, holds back what must be durable first, and forgets everything else in a crash.
 */
import * as LogEntry from "../../src/LogEntry.ts"
import type { Membership } from "../../src/Membership.ts"
import type { NodeId } from "../../src/NodeId.ts"
import type { RaftConfig } from "../../src/RaftConfig.ts"
import type { RaftMessage } from "../../src/RaftMessage.ts"
import * as RaftStorage from "../../src/RaftStorage.ts"
import type { Action, Persist, SendWhenDurable } from "../../src/consensus/Action.ts"
import type { Event } from "../../src/consensus/Event.ts"
import * as NodeState from "../../src/consensus/NodeState.ts"
import * as Transition from "../../src/consensus/Transition.ts"

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
  readonly stamp: () => NodeState.Stamp
  readonly send: Send
  /** Called after each event, before any of its messages leaves. */
  readonly onTurn: (turn: Turn) => void
}

export class SimulatedNode {
  readonly id: NodeId
  /** What a crash leaves. */
  readonly stored: RaftStorage.StoredState
  /** The terms of the entries that a crash leaves; the one at index 1 comes first. */
  readonly storedTerms: Array<number>
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
    this.storedTerms = options.stored.blocks.flatMap(termsOfBlock)
    this.state = this.initialState()
  }

  handle(event: Event): void {
    const before = this.state
    const { state, actions } = Transition.step(before, event, this.options.stamp())
    this.state = state
    this.options.onTurn({ node: this, event, before, after: state, actions })
    for (const action of actions) this.carryOut(action)
    if (event._tag === "Persisted") this.release(event.ticket)
  }

  /** The disk takes the next `count` writes and says so once, for all of them. */
  write(count: number): void {
    const written = this.takeWrites(count)
    if (written !== undefined) {
      this.handle({ _tag: "Persisted", ticket: written.ticket, lastIndex: written.lastIndex })
    }
  }

  /** The node dies. Of the writes that were not acknowledged `surviving` are on the disk nevertheless. */
  crash(surviving: number): void {
    this.takeWrites(surviving)
    this.unwritten = []
    this.held = []
    this.isUp = false
  }

  restart(): void {
    this.restarts++
    this.state = this.initialState()
    this.isUp = true
  }

  private carryOut(action: Action): void {
    if (action._tag === "Persist") this.unwritten.push(action)
    if (action._tag === "SendNow") this.options.send(action)
    if (action._tag === "SendWhenDurable") this.held.push(action)
  }

  private release(ticket: number): void {
    const due = this.held.filter((held) => held.ticket <= ticket)
    this.held = this.held.filter((held) => held.ticket > ticket)
    for (const envelope of due) this.options.send(envelope)
  }

  private takeWrites(count: number): Persist | undefined {
    const taken = this.unwritten.splice(0, count)
    for (const write of taken) {
      RaftStorage.absorb(this.stored, write)
      if (write.truncateFrom !== undefined) this.storedTerms.length = write.truncateFrom - 1
      for (const block of write.blocks) this.storedTerms.push(...termsOfBlock(block))
    }
    return taken[taken.length - 1]
  }

  private initialState(): NodeState.NodeState {
    return NodeState.initial({
      self: this.options.id,
      config: this.options.config,
      membership: this.options.membership,
      hardState: this.stored.hardState,
      blocks: this.stored.blocks,
      firstRequestId: this.restarts * 1_000_000,
      stamp: this.options.stamp()
    })
  }
}

const termsOfBlock = (block: LogEntry.EntryBlock): Array<number> =>
  LogEntry.entries(block).map((entry): number => entry.term)
