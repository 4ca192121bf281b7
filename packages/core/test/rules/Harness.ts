/**
 * One node under test, to be read aloud: `follower({ term: 3, log: [1, 1, 2] })` receives something, and
 * the test looks at what it then says (`sent`), writes and knows.
 *
 * The node is `n1`; its peers are `n2`, `n3` and so on. Its disk is instant unless the test slows it
 * down, because most claims are not about disks. A leader is made by an election, not by hand, so that
 * no test starts from a state that the rules cannot reach.
 */
import type { LogIndex } from "../../src/LogIndex.ts"
import * as Membership from "../../src/Membership.ts"
import type { MembershipChange, MembershipRejection } from "../../src/MembershipChange.ts"
import type { RaftConfig } from "../../src/RaftConfig.ts"
import type { RaftMessage } from "../../src/RaftMessage.ts"
import type { Term } from "../../src/Term.ts"
import type { Action } from "../../src/consensus/Action.ts"
import * as Election from "../../src/consensus/Election.ts"
import type { Event } from "../../src/consensus/Event.ts"
import type { NodeState, RoleState } from "../../src/consensus/NodeState.ts"
import * as RaftLog from "../../src/consensus/RaftLog.ts"
import * as Replication from "../../src/consensus/Replication.ts"
import * as Build from "./Build.ts"
import { SimulatedNode } from "./SimulatedNode.ts"
import { termsUpTo } from "./SnapshotShelf.ts"

export interface Given {
  readonly term: number
  /** The terms of its entries, from the one after `snapshot` on, or from index 1. */
  readonly log?: ReadonlyArray<number>
  /** Where its log begins, and its newest snapshot ends. */
  readonly snapshot?: Build.Place
  readonly votedFor?: string
  /** Up to here an earlier life knew the log to be committed. */
  readonly committed?: number
  /** How many vote; 3 unless said. */
  readonly voters?: number
  readonly learners?: number
  readonly membership?: Membership.Membership
  readonly config?: Partial<RaftConfig>
}

/** The node as the test sees it. Everything that it says or does is of the last thing that happened. */
export class Subject {
  nowMillis = 0
  /** How far its wall clock is ahead of its monotonic one. */
  private wallOffsetMillis = 0
  jitter = 0
  /** Messages that left the node since the last thing happened to it. */
  sent: Array<readonly [to: string, message: RaftMessage]> = []
  actions: Array<Action> = []
  private hasSlowDisk = false
  private readonly node: SimulatedNode
  private readonly cursors = new Map<string, Replication.Cursor>()

  constructor(given: Given) {
    const base = given.snapshot ?? Build.start
    const membership =
      given.membership ?? Build.membership({ voters: given.voters ?? 3, learners: given.learners ?? 0 })
    this.node = new SimulatedNode({
      id: Build.id("n1"),
      config: Build.config(given.config),
      membership,
      stored: {
        hardState: {
          currentTerm: given.term as Term,
          votedFor: given.votedFor === undefined ? null : Build.id(given.votedFor)
        },
        base: Build.logBase(base),
        blocks: Build.blocks(given.log ?? [], base.index + 1),
        committed: (given.committed ?? 0) as LogIndex
      },
      snapshot: given.snapshot === undefined ? undefined : Build.snapshot(given.snapshot, { membership }),
      stamp: () => ({
        nowMillis: this.nowMillis,
        wallMillis: this.nowMillis + this.wallOffsetMillis,
        jitter: this.jitter
      }),
      send: ({ to, message }) => this.sent.push([to, message]),
      onTurn: (turn) => this.actions.push(...turn.actions)
    })
  }

  get state(): NodeState {
    return this.node.state
  }

  get role(): RoleState["_tag"] {
    return this.state.role._tag
  }

  /** The terms of its entries, from the one after the base on. */
  get log(): ReadonlyArray<number> {
    const { base, lastIndex } = this.state.log
    return Array.from({ length: lastIndex - base.index }, (_, position) =>
      Number(RaftLog.termAt(this.state.log, (base.index + position + 1) as LogIndex))
    )
  }

  /** The time in its last entry. */
  get lastTimestampMillis(): number {
    return RaftLog.lastTimestampMillis(this.state.log)
  }

  /** Where its log begins. */
  get base(): Build.Place {
    return this.state.log.base
  }

  /** Terms of the entries in the log that a crash would leave. */
  get storedLog(): ReadonlyArray<number> {
    return this.node.storedTerms.slice(this.node.stored.base.index)
  }

  /** Where the log begins that a crash would leave. */
  get storedBase(): Build.Place {
    return this.node.stored.base
  }

  get electionDeadlineMillis(): number {
    const { role } = this.state
    return role._tag === "Leader" ? Number.POSITIVE_INFINITY : role.electionDeadlineMillis
  }

  /** What a leader knows of a peer. */
  progress(peer: string) {
    const { role } = this.state
    const progress = role._tag === "Leader" ? role.progress.get(Build.id(peer)) : undefined
    if (progress === undefined) throw new Error(`${this.role} n1 keeps no progress of ${peer}`)
    return progress
  }

  /** From now on nothing is durable before the test says {@link persist}. */
  withSlowDisk(): this {
    this.hasSlowDisk = true
    return this
  }

  happens(event: Event): this {
    this.sent = []
    this.actions = []
    this.node.handle(event)
    while (!this.hasSlowDisk && this.node.unwritten.length > 0) this.node.write(this.node.unwritten.length)
    return this
  }

  receives(from: string, message: RaftMessage): this {
    return this.happens({ _tag: "Received", from: Build.id(from), message })
  }

  /** Time passes; nothing rings. */
  waits(millis: number): this {
    this.nowMillis += millis
    return this
  }

  /** Somebody sets its wall clock. */
  setsClock(wallOffsetMillis: number): this {
    this.wallOffsetMillis = wallOffsetMillis
    return this
  }

  /** Hears nothing until its election timer rings. */
  timesOut(): this {
    this.nowMillis = Math.max(this.nowMillis, this.electionDeadlineMillis)
    return this.happens({ _tag: "ElectionDue" })
  }

  heartbeatDue(): this {
    return this.happens({ _tag: "HeartbeatDue" })
  }

  proposes(...texts: ReadonlyArray<string>): this {
    return this.happens({ _tag: "Proposed", drafts: texts.map(Build.command) })
  }

  reads(...readIds: ReadonlyArray<number>): this {
    return this.happens({ _tag: "ReadsRequested", readIds })
  }

  /** Somebody asks it to change the membership; request 1 unless said. */
  changes(change: MembershipChange, requestId = 1): this {
    return this.happens({ _tag: "MembershipRequested", requestId, change })
  }

  /** Why it refused the last change, or `undefined`. */
  get rejection(): MembershipRejection | "NotLeader" | undefined {
    return this.actionsOf("MembershipRefused")[0]?.because
  }

  /** Who votes, and who learns, as this node knows it: "n1 n2 | n3", with the outgoing set in front of "->". */
  get members(): string {
    const { membership } = this.state
    const names = (list: ReadonlyArray<Membership.Member>) => list.map(({ id }) => id).join(" ")
    const learners = membership.learners.length === 0 ? "" : ` | ${names(membership.learners)}`
    const outgoing = membership._tag === "Joint" ? `${names(membership.outgoing)} -> ` : ""
    return `${outgoing}${names(membership.voters)}${learners}`
  }

  /** The disk finishes the next `count` writes, all of them unless said. */
  persists(count = this.node.unwritten.length): this {
    this.sent = []
    this.actions = []
    this.node.write(count)
    return this
  }

  /** Loses power and comes back with what was durable, and the first `surviving` of the other writes. */
  crashesAndRestarts(surviving = 0): this {
    this.sent = []
    this.actions = []
    this.node.crash(surviving)
    this.node.restart()
    this.cursors.clear()
    return this
  }

  /** What it asks `peer` for in order to be elected, now. */
  requestsTo(peer: string): RaftMessage | undefined {
    return Election.requestFor(this.state, Build.id(peer))
  }

  /** All that its replicator for `peer` sends now. */
  replicatesTo(peer: string): ReadonlyArray<RaftMessage> {
    const messages: Array<RaftMessage> = []
    for (;;) {
      const cursor = this.cursors.get(peer) ?? Replication.initialCursor
      const next = Replication.nextAppend(this.state, Build.id(peer), cursor)
      if (next === undefined) return messages
      this.cursors.set(peer, next.cursor)
      messages.push(next.message)
    }
  }

  /** A snapshot of its own machine is durable now. */
  hasTaken(place: Build.Place): this {
    const snapshot = Build.snapshot(place, { membership: this.state.membership })
    this.node.shelf.put({ meta: snapshot, terms: termsUpTo(snapshot) })
    return this.happens({ _tag: "SnapshotTaken", snapshot })
  }

  /** The last piece of the leader's snapshot is durable now. */
  hasReceived(from: string, place: Build.Place, said: Parameters<typeof Build.snapshot>[1] = {}): this {
    const snapshot = Build.snapshot(place, { membership: this.state.membership, by: from, ...said })
    this.node.shelf.put({ meta: snapshot, terms: termsUpTo(snapshot) })
    return this.happens({ _tag: "SnapshotReceived", from: Build.id(from), snapshot })
  }

  /** Whether the peer needs what its log holds no more. */
  needsSnapshot(peer: string): boolean {
    const cursor = this.cursors.get(peer) ?? Replication.initialCursor
    return Replication.needsSnapshot(this.state, Build.id(peer), cursor)
  }

  /** The actions of one kind. */
  actionsOf<Tag extends Action["_tag"]>(tag: Tag): ReadonlyArray<Extract<Action, { readonly _tag: Tag }>> {
    return this.actions.filter(
      (action): action is Extract<Action, { readonly _tag: Tag }> => action._tag === tag
    )
  }
}

export const follower = (given: Given): Subject => new Subject(given)

/** A follower that has heard from `leader`, at time 0, that its log is the leader's. */
export const followerOf = (leader: string, given: Given): Subject => {
  const log = given.log ?? []
  const { index: baseIndex, term: baseTerm } = given.snapshot ?? Build.start
  const prev = { index: baseIndex + log.length, term: log[log.length - 1] ?? baseTerm }
  const subject = follower(given).receives(leader, Build.appendEntries({ term: given.term, prev }))
  return forget(subject)
}

/** Asks whether it would win, in `term`. */
export const preCandidate = (given: Given): Subject => forget(follower(given).timesOut())

/** Stands for election in `term`; its own vote is durable. */
export const candidate = (given: Given): Subject => {
  const subject = preCandidate({ ...given, term: given.term - 1 })
  if (subject.role === "PreCandidate") grantAll(subject, given, preVoteGranted(given.term), "Candidate")
  return forget(subject)
}

/** Has won `term` and appended its no-op, durably; so its log is `log` and one entry of `term`. */
export const leader = (given: Given): Subject => {
  const subject = candidate(given)
  const granted = Build.voteReply({ term: given.term, granted: true })
  if (subject.role === "Candidate") grantAll(subject, given, granted, "Leader")
  return forget(subject)
}

const preVoteGranted = (term: number): RaftMessage =>
  Build.preVoteReply({ term: term - 1, requestedTerm: term, granted: true })

/** Peers answer one after another until the node has become what it wanted to. */
const grantAll = (subject: Subject, given: Given, message: RaftMessage, until: RoleState["_tag"]): void => {
  for (const { id } of Membership.allMembers(subject.state.membership)) {
    if (id !== "n1" && subject.role !== until) subject.receives(id, message)
  }
  if (subject.role !== until)
    throw new Error(`n1 is ${subject.role}, not ${until}, in ${JSON.stringify(given)}`)
}

const forget = (subject: Subject): Subject => {
  subject.sent = []
  subject.actions = []
  return subject
}

/** The indexes of quorum or log functions are branded; tests count in plain numbers. */
export const index = (value: number): LogIndex => value as LogIndex
export const term = (value: number): Term => value as Term
