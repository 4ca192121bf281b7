/**
 * What must hold after every step, whatever happened (paper, figure 3), and what the disk adds to it.
 *
 * The checks do not use the rules that they check: they keep books of their own on who led, who voted,
 * what was written and what was committed, and compare.
 */
import * as LogEntry from "../../src/LogEntry.ts"
import type { Member, Membership } from "../../src/Membership.ts"
import type { NodeId } from "../../src/NodeId.ts"
import type { RaftMessage } from "../../src/RaftMessage.ts"
import type { SnapshotMeta } from "../../src/Snapshot.ts"
import type { Action, Persist } from "../../src/consensus/Action.ts"
import * as MembershipSafety from "../../src/testing/invariants/MembershipSafety.ts"
import * as ReadRounds from "../../src/testing/invariants/ReadRounds.ts"
import type { NodeState, RoleState } from "../../src/consensus/NodeState.ts"
import type { Envelope, Observer, PureCluster } from "./PureCluster.ts"
import type { SimulatedNode, Turn } from "./SimulatedNode.ts"

/** An entry as the books know it. Index and term name it; the rest must agree wherever it stands. */
interface Known {
  readonly previousTerm: number
  readonly payload: Uint8Array
}

interface Committed {
  readonly term: number
  /** Of the node that first called it committed: leaders of later terms must have it. */
  readonly inTerm: number
}

export class InvariantBroken extends Error {
  constructor(property: string, detail: string) {
    super(`${property}: ${detail}`)
  }
}

export class Invariants implements Observer {
  /** Entries that some node called committed; the one at index 1 comes first. */
  readonly committed: Array<Committed> = []
  private readonly leaders = new Map<number, NodeId>()
  private readonly votes = new Map<string, NodeId>()
  private readonly entries = new Map<string, Known>()
  /** The terms in each node's log, kept from what it had written. */
  private readonly logs = new Map<NodeId, Array<number>>()
  /** For each node, the reads that wait there, and what was committed when they were asked. */
  private readonly reads = new Map<NodeId, Map<number, number>>()
  private readonly shared = [MembershipSafety.make(), ReadRounds.make()]
  private readonly cluster: () => PureCluster

  constructor(cluster: () => PureCluster) {
    this.cluster = cluster
  }

  onTurn = (turn: Turn): void => {
    const { node, before, after, actions, event } = turn
    if (event._tag === "ReadsRequested") {
      for (const id of event.readIds) this.readsAt(node.id).set(id, this.committed.length)
    }
    for (const action of actions) if (action._tag === "Persist") this.onPersist(node, after, action)
    for (const action of actions) if (action._tag === "RestoreMachine") this.checkSnapshot(node, action)
    for (const invariant of this.shared)
      invariant.onTurn?.(node.id, { nowMillis: 0, events: [event], before, after, actions })
    this.checkTermAndVote(before, after)
    this.checkLeader(after)
    this.checkCommit(before, after)
    for (const action of actions) this.onAnswer(node.id, action)
    this.checkWaiting(after)
  }

  onRestart = (node: SimulatedNode): void => {
    this.logs.set(node.id, node.termsAtStart())
    this.reads.delete(node.id)
    const snapshot = node.shelf.newest?.meta
    if (snapshot !== undefined) this.checkSnapshot(node, { snapshot })
    for (const invariant of this.shared) invariant.onStart?.(node.id, node.state)
  }

  onSend = (envelope: Envelope, sender: SimulatedNode): void => {
    const { from, to, message } = envelope
    const { currentTerm, votedFor } = sender.stored.hardState
    if (!isQuestion(message) && message.term > currentTerm) {
      broken(
        "Durable before visible",
        `${from} speaks in term ${message.term}, its disk is in ${currentTerm}`
      )
    }
    if (message._tag === "RequestVoteReply" && message.granted) {
      this.checkVote(from, message.term, to)
      if (currentTerm === message.term && votedFor !== to) {
        broken("Durable before visible", `${from} tells ${to} of a vote that is not on its disk`)
      }
    }
    if (message._tag === "RequestVote") this.checkVote(from, message.term, from)
  }

  /** Log Matching: an entry has one content and one predecessor, in every log. */
  private onPersist({ id: node, shelf, storedTerms }: SimulatedNode, after: NodeState, write: Persist): void {
    const log = this.logs.get(node) ?? [...storedTerms]
    this.logs.set(node, log)
    if (write.truncateFrom !== undefined) log.length = Math.min(log.length, write.truncateFrom - 1)
    if (write.base !== undefined) {
      if (write.base.index > after.commitIndex)
        broken("Compact what is committed", `${node} drops up to ${write.base.index}`)
      shelf.putBefore(log, write.base)
      if (log[write.base.index - 1] !== write.base.term)
        broken("Log Matching", `${node} begins its log after ${write.base.index}@${write.base.term}`)
    }
    for (const entry of write.blocks.flatMap(LogEntry.entries)) {
      if (entry.index !== log.length + 1)
        broken("Log Matching", `${node} writes ${entry.index} after ${log.length}`)
      const known: Known = { previousTerm: log[log.length - 1] ?? 0, payload: entry.payload }
      this.checkEntry(`${entry.index}@${entry.term}`, known)
      log.push(entry.term)
    }
    if (write.lastIndex !== log.length)
      broken("Log Matching", `${node} says its log ends at ${write.lastIndex}`)
  }

  /** State Machine Safety: what a snapshot on disk stands for is what was committed. */
  private checkSnapshot({ id, shelf }: SimulatedNode, expected: { readonly snapshot: SnapshotMeta }): void {
    const terms = shelf.newest?.terms ?? []
    if (terms.length < expected.snapshot.lastIndex)
      broken("State Machine Safety", `${id} has no snapshot up to ${expected.snapshot.lastIndex}`)
    terms.forEach((term, position) => {
      if (this.committed[position]?.term !== term)
        broken("State Machine Safety", `${id} has a snapshot with ${position + 1}@${term}`)
    })
  }

  private checkEntry(name: string, entry: Known): void {
    const known = this.entries.get(name)
    if (known === undefined) this.entries.set(name, entry)
    else if (known.previousTerm !== entry.previousTerm || !isSame(known.payload, entry.payload)) {
      broken("Log Matching", `there are two entries ${name}`)
    }
  }

  private checkTermAndVote(before: NodeState, after: NodeState): void {
    if (after.currentTerm < before.currentTerm) broken("Terms only grow", `${after.self} goes back`)
    if (
      after.currentTerm === before.currentTerm &&
      before.votedFor !== null &&
      after.votedFor !== before.votedFor
    ) {
      broken("One vote per term", `${after.self} takes its vote for ${before.votedFor} back`)
    }
  }

  private checkVote(voter: NodeId, term: number, candidate: NodeId): void {
    const key = `${voter} ${term}`
    const known = this.votes.get(key) ?? candidate
    this.votes.set(key, known)
    if (known !== candidate)
      broken("One vote per term", `${voter} votes for ${known} and ${candidate} in ${term}`)
  }

  /** Election Safety and Leader Completeness. */
  private checkLeader(state: NodeState): void {
    if (state.role._tag !== "Leader") return
    const term = state.currentTerm
    const known = this.leaders.get(term)
    if (known === state.self) return
    if (known !== undefined) broken("Election Safety", `${known} and ${state.self} both lead term ${term}`)
    this.leaders.set(term, state.self)
    const log = this.logs.get(state.self) ?? []
    this.committed.forEach((entry, position) => {
      if (entry.inTerm < term && log[position] !== entry.term) {
        broken(
          "Leader Completeness",
          `${state.self} leads term ${term} without ${position + 1}@${entry.term}`
        )
      }
    })
  }

  /** State Machine Safety; and what is committed first is durable on a majority. */
  private checkCommit(before: NodeState, after: NodeState): void {
    if (after.log.lastIndex < after.commitIndex)
      broken("State Machine Safety", `${after.self} removes what is committed`)
    if (after.commitIndex === before.commitIndex) return
    if (after.commitIndex < before.commitIndex) broken("Commit never decreases", after.self)
    const log = this.logs.get(after.self) ?? []
    if (after.commitIndex > log.length) broken("State Machine Safety", `${after.self} commits past its log`)
    for (let position = before.commitIndex; position < after.commitIndex; position++) {
      const term = log[position]!
      const known = this.committed[position]
      if (known === undefined) this.commit(after, term)
      else if (known.term !== term) {
        broken(
          "State Machine Safety",
          `${after.self} commits ${position + 1}@${term}, another @${known.term}`
        )
      }
    }
  }

  private commit(state: NodeState, term: number): void {
    const position = this.committed.length
    const holders = this.cluster().nodes.filter((node) => node.durableTermAt(position + 1) === term)
    for (const set of votersOf(state.membership)) {
      const held = set.filter((voter) => holders.some(({ id }) => id === voter.id)).length
      if (held * 2 <= set.length) {
        broken("Commit what a quorum holds", `${state.self} commits ${position + 1}@${term} held by ${held}`)
      }
    }
    this.committed.push({ term, inTerm: state.currentTerm })
  }

  private onAnswer(node: NodeId, action: Action): void {
    if (action._tag !== "ReadsConfirmed" && action._tag !== "ReadsRefused") return
    for (const id of action.readIds) {
      const wasCommitted = this.readsAt(node).get(id)
      if (wasCommitted === undefined)
        return broken("Every read ends once", `${node} answers ${id}, which does not wait`)
      this.readsAt(node).delete(id)
      if (action._tag === "ReadsConfirmed") this.checkRead(node, action.readIndex, wasCommitted)
    }
  }

  private checkRead(node: NodeId, readIndex: number, wasCommitted: number): void {
    if (readIndex < wasCommitted) {
      broken("Linearizable reads", `${node} reads at ${readIndex}, but ${wasCommitted} was committed before`)
    }
    if (readIndex > this.committed.length)
      broken("Linearizable reads", `${node} reads at ${readIndex}, uncommitted`)
  }

  /** No read is forgotten: what was neither confirmed nor refused still waits in the role. */
  private checkWaiting({ self, role }: NodeState): void {
    const waiting = readsOf(role)
    if (waiting.length !== this.readsAt(self).size) {
      broken(
        "Every read ends once",
        `${self} knows of ${waiting.length} reads, ${this.readsAt(self).size} wait`
      )
    }
  }

  private readsAt(node: NodeId): Map<number, number> {
    const known = this.reads.get(node) ?? new Map<number, number>()
    this.reads.set(node, known)
    return known
  }
}

const votersOf = (membership: Membership): ReadonlyArray<ReadonlyArray<Member>> =>
  membership._tag === "Joint" ? [membership.voters, membership.outgoing] : [membership.voters]

const readsOf = (role: RoleState): ReadonlyArray<number> => {
  switch (role._tag) {
    case "Follower":
      return role.reads.flatMap((read) => read.readIds)
    case "Leader":
      return role.reads.flatMap(({ reader }) => (reader._tag === "Local" ? reader.readIds : []))
    default:
      return []
  }
}

/** A question promises nothing: its term is what the sender has heard of, or thinks of trying. */
const isQuestion = ({ _tag }: RaftMessage): boolean => _tag === "PreVote" || _tag === "ReadIndex"

const broken = (property: string, detail: string): never => {
  throw new InvariantBroken(property, detail)
}

const isSame = (a: Uint8Array, b: Uint8Array): boolean =>
  a.byteLength === b.byteLength && a.every((byte, position) => byte === b[position])
