/**
 * What happens in a cluster, one line for each thing that matters, in words that a reader of the paper
 * knows. `3@2` is the entry at index 3 of term 2.
 */
import * as LogEntry from "../../src/LogEntry.ts"
import type { EntryBlock } from "../../src/LogEntry.ts"
import * as Membership from "../../src/Membership.ts"
import type { MembershipRejection } from "../../src/MembershipChange.ts"
import type { RaftMessage } from "../../src/RaftMessage.ts"
import type { SnapshotMeta } from "../../src/Snapshot.ts"
import type { Action, Persist } from "../../src/consensus/Action.ts"
import type { SnapshotReceived, SnapshotTaken } from "../../src/consensus/Event.ts"
import type { NodeState, RoleState } from "../../src/consensus/NodeState.ts"
import * as RaftLog from "../../src/consensus/RaftLog.ts"
import type { Envelope, Observer } from "../rules/PureCluster.ts"
import { index } from "../rules/Harness.ts"
import type { SimulatedNode, Turn } from "../rules/SimulatedNode.ts"

/** Collects lines until they are taken. */
export class Trace implements Observer {
  private lines: Array<string> = []
  private readonly hasSlowDisks: boolean

  constructor(options: { readonly hasSlowDisks: boolean }) {
    this.hasSlowDisks = options.hasSlowDisks
  }

  take(): ReadonlyArray<string> {
    const { lines } = this
    this.lines = []
    return lines
  }

  note(line: string): void {
    this.lines.push(line)
  }

  onTurn = ({ node, event, before, after, actions }: Turn): void => {
    if (event._tag === "SnapshotTaken" || event._tag === "SnapshotReceived")
      this.note(`${node.id} has ${describeSnapshot(event.snapshot)}${origin(event)} on disk`)
    const roleNow = describeRole(after)
    if (after.membership !== before.membership)
      this.note(`${node.id} goes by ${describeMembership(after.membership)}`)
    if (describeRole(before) !== roleNow) this.note(`${node.id} is now ${roleNow}`)
    for (const action of actions) if (!isAboutReads(action)) this.describe(node, action)
    if (after.commitIndex > before.commitIndex)
      this.note(`${node.id} commits up to ${place(after, after.commitIndex)}`)
    for (const action of actions) if (isAboutReads(action)) this.describe(node, action)
  }

  onSend = ({ from, to, message }: Envelope): void => {
    this.note(`${from} -> ${to}: ${describeMessage(message)}`)
  }

  private describe({ id }: SimulatedNode, action: Action): void {
    switch (action._tag) {
      case "Persist":
        return this.note(
          `${id} stores ${describeWrite(action)}${this.hasSlowDisks ? ` (write ${action.ticket})` : ""}`
        )
      case "MembershipRefused":
        return this.note(`${id} refuses: ${describeRefusal(action.because)}`)
      case "MembershipSettled":
        return this.note(`${id} has changed the members to ${describeMembership(action.membership)}`)
      case "ProposalsRefused":
        return this.note(`${id} refuses: ${action.because}`)
      case "ReadsConfirmed":
        return this.note(
          `${id} may answer read ${action.readIds.join(", ")} once ${action.readIndex} is applied`
        )
      case "ReadsRefused":
        return this.note(`${id} refuses read ${action.readIds.join(", ")}`)
      case "RestoreMachine":
        return this.note(`${id} restores its machine from ${describeSnapshot(action.snapshot)}`)
      default:
        return undefined
    }
  }
}

/** `n1 n2 and n3 n4 | n5`: the voters, new ones first where it is joint, then the learners. */
const describeMembership = (membership: Membership.Membership): string => {
  const voters = Membership.votingSets(membership).map((set) => set.join(" "))
  const learners = membership.learners.map(({ id }) => id).join(" ")
  return `${voters.join(" and ")}${learners === "" ? "" : ` | ${learners}`}`
}

const describeRefusal = (because: "NotLeader" | MembershipRejection): string =>
  because === "NotLeader" ? because : because._tag

const describeSnapshot = ({ lastIndex, lastTerm }: SnapshotMeta): string =>
  `a snapshot up to ${lastIndex}@${lastTerm}`

const origin = (event: SnapshotTaken | SnapshotReceived): string =>
  event._tag === "SnapshotReceived" ? ` from ${event.from}` : ""

/** Reads are answered from what the same event committed, so they are told after it. */
const isAboutReads = ({ _tag }: Action): boolean => _tag === "ReadsConfirmed" || _tag === "ReadsRefused"

const roleNames: Record<RoleState["_tag"], string> = {
  Follower: "a follower",
  PreCandidate: "a pre-candidate",
  Candidate: "a candidate",
  Leader: "the leader"
}

const describeRole = ({ role, currentTerm }: NodeState): string => {
  const leader = role._tag !== "Follower" ? "" : role.leader === null ? " of nobody" : ` of ${role.leader}`
  return `${roleNames[role._tag]}${leader} in term ${currentTerm}`
}

const describeWrite = (write: Persist): string =>
  [
    ...(write.hardState === undefined
      ? []
      : [`term ${write.hardState.currentTerm}, vote ${write.hardState.votedFor ?? "none"}`]),
    ...(write.truncateFrom === undefined ? [] : [`nothing from ${write.truncateFrom} on`]),
    ...(write.base === undefined ? [] : [`a log that begins after ${write.base.index}@${write.base.term}`]),
    ...(write.blocks.length === 0 ? [] : [describeEntries(write.blocks)])
  ].join(", then ")

const describeEntries = (blocks: ReadonlyArray<EntryBlock>): string =>
  blocks
    .flatMap(LogEntry.entries)
    .map((entry) => `${entry.index}@${entry.term}`)
    .join(" ")

const place = (state: NodeState, at: number): string => `${at}@${RaftLog.termAt(state.log, index(at)) ?? "?"}`

const describeMessage = (message: RaftMessage): string => {
  switch (message._tag) {
    case "PreVote":
      return `would you vote for me in term ${message.term}? My log ends at ${logEnd(message)}`
    case "PreVoteReply":
      return `(term ${message.term}) in term ${message.requestedTerm} I ${message.granted ? "would" : "would not"}`
    case "RequestVote":
      return `(term ${message.term}) vote for me. My log ends at ${logEnd(message)}`
    case "RequestVoteReply":
      return `(term ${message.term}) ${message.granted ? "you have my vote" : "no"}`
    case "AppendEntries":
      return `(term ${message.term}) ${describeAppend(message)}`
    case "CommitNotice":
      return `(term ${message.term}) committed ${message.leaderCommit}`
    case "AppendAccepted":
      return `(term ${message.term}) our logs match up to ${message.matchIndex}${round(message)}`
    case "AppendRejected":
      return `(term ${message.term}) no, not after ${message.prevLogIndex}; ${describeConflict(message)}${round(message)}`
    case "ReadIndex":
      return `(term ${message.term}) question ${message.requestId}: where may I read?`
    case "ReadIndexReply":
      return `(term ${message.term}) question ${message.requestId}: read at ${message.readIndex}`
    case "InstallSnapshot": {
      const { offset, data, sizeBytes } = message
      const piece = `bytes ${offset} to ${offset + data.byteLength} of ${sizeBytes}`
      return `(term ${message.term}) ${describeSnapshot(message.snapshot)}: ${piece}`
    }
    case "InstallSnapshotReply":
      return message.matchIndex > 0
        ? `(term ${message.term}) our logs match up to ${message.matchIndex}`
        : `(term ${message.term}) I want your snapshot from byte ${message.offset} on`
    case "StaleTerm":
      return `(term ${message.term}) your term is over`
    case "TimeoutNow":
      return `(term ${message.term}) take over: stand for election now`
    case "ForwardProposals":
    case "ForwardReply":
      return message._tag
  }
}

type MessageOf<Tag extends RaftMessage["_tag"]> = Extract<RaftMessage, { readonly _tag: Tag }>

const logEnd = (message: MessageOf<"PreVote" | "RequestVote">): string =>
  `${message.lastLogIndex}@${message.lastLogTerm}`

const describeAppend = (message: MessageOf<"AppendEntries">): string => {
  const what = message.blocks.length === 0 ? "nothing new" : describeEntries(message.blocks)
  const after = `${message.prevLogIndex}@${message.prevLogTerm}`
  return `after ${after} comes ${what}; committed ${message.leaderCommit}${round(message)}`
}

const describeConflict = ({ conflictTerm, conflictIndex }: MessageOf<"AppendRejected">): string =>
  conflictTerm === 0
    ? `my log ends before ${conflictIndex}`
    : `my term ${conflictTerm} begins at ${conflictIndex}`

const round = (message: { readonly round: number }): string =>
  message.round === 0 ? "" : ` (round ${message.round})`

/** The whole of a node in one line. */
export const describeNode = (node: SimulatedNode): string => {
  const { id, state } = node
  const { base, lastIndex } = state.log
  const terms = Array.from({ length: lastIndex - base.index }, (_, at) =>
    RaftLog.termAt(state.log, index(base.index + at + 1))
  )
  const begins = base.index === 0 ? "" : `after ${base.index}@${base.term}: `
  const log = `${begins}${terms.length === 0 ? "empty" : terms.join(" ")}`
  return node.isUp
    ? `${id}: ${describeRole(state)}; log ${log}; committed ${state.commitIndex}`
    : `${id}: down`
}
