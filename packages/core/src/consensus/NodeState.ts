/**
 * All that a node knows and decides by (paper, figure 2). Immutable; only the actor replaces it.
 *
 * What belongs to a role stands in the role, so that a follower has no `nextIndex` and a leader no
 * election deadline. Times are readings of a monotonic clock in milliseconds.
 */
import type { EntryBlock } from "../LogEntry.ts"
import * as LogIndex from "../LogIndex.ts"
import * as Membership from "../Membership.ts"
import type { NodeId } from "../NodeId.ts"
import type { RaftConfig } from "../RaftConfig.ts"
import type { HardState, LogBase } from "../RaftStorage.ts"
import type { SnapshotMeta } from "../Snapshot.ts"
import type { Term } from "../Term.ts"
import * as Configurations from "./Configurations.ts"
import type { RoundStart } from "./Lease.ts"
import type { Transfer } from "./LeadershipTransfer.ts"
import type { PeerProgress } from "./PeerProgress.ts"
import type { PendingRead, ReadRequest } from "./ReadIndex.ts"
import * as LogMemory from "./LogMemory.ts"
import * as RaftLog from "./RaftLog.ts"

/** Waits for its leader; when it hears nothing until the deadline it stands for election. */
export interface Follower {
  readonly _tag: "Follower"
  readonly leader: NodeId | null
  /** When the leader was last heard; minus infinity when its connection broke or there is none. */
  readonly heardMillis: number
  readonly electionDeadlineMillis: number
  /** Up to here the log is known to be the leader's: checked by a message of this term. */
  readonly verifiedIndex: LogIndex.LogIndex
  /** Reads that wait for the leader's word. */
  readonly reads: ReadonlyArray<ReadRequest>
}

/** Asks whether it would win, before it disturbs anybody (thesis, section 9.6). */
export interface PreCandidate {
  readonly _tag: "PreCandidate"
  readonly votes: ReadonlyMap<NodeId, boolean>
  readonly electionDeadlineMillis: number
  /** Which try in this term. */
  readonly attempt: number
}

/** Asks for votes in a term of its own. */
export interface Candidate {
  readonly _tag: "Candidate"
  /** Its own vote is among them only once it is durable. */
  readonly votes: ReadonlyMap<NodeId, boolean>
  readonly electionDeadlineMillis: number
  /** The leader before asked for this election (thesis, section 3.10). */
  readonly leadershipTransfer: boolean
  /** The write that makes term and vote durable. */
  readonly voteTicket: number
}

/** Replicates. There is at most one in a term. */
export interface Leader {
  readonly _tag: "Leader"
  /** Index of the no-op that began its term; once that is committed, so is all before it. */
  readonly termStartIndex: LogIndex.LogIndex
  /** Every member but itself, and those who are about to leave. */
  readonly progress: PeerProgress
  /** The last configuration that was committed when the last heartbeat was due. */
  readonly settledIndex: LogIndex.LogIndex
  /** How many heartbeats were due so far. */
  readonly beat: number
  /** When the last heartbeat was due, or the term began. */
  readonly beatMillis: number
  /** What time it was in the log then (see LogClock). */
  readonly beatTimeMillis: number
  /** Since when its own disk has made no progress, as of the last heartbeat. */
  readonly disk: { readonly persisted: number; readonly sinceMillis: number }
  /** While it hands over. It takes no commands then. */
  readonly transfer: Transfer | undefined
  /** It has told another node to stand for election, which may happen at any time in this term. */
  readonly hasUrged: boolean
  /** With leases: when the rounds of the last election timeout began. */
  readonly roundStarts: ReadonlyArray<RoundStart>
  /** The newest round that peers are asked to answer (see Rounds). */
  readonly round: number
  /** The newest that a quorum has answered. */
  readonly answeredRound: number
  /** Who was the first to make that quorum, without those whose connection broke since. */
  readonly quickest: ReadonlyArray<NodeId>
  /** Of whom the newest round is asked at once; of everybody, where nothing is said. */
  readonly asked: ReadonlyArray<NodeId> | undefined
  readonly reads: ReadonlyArray<PendingRead>
}

export type RoleState = Follower | PreCandidate | Candidate | Leader

/**
 * How far the disk is behind. Every write has a ticket; tickets become durable in order.
 *
 * `index` is the last entry of the present log that is durable here.
 */
export interface Durability {
  /** The last ticket that was handed out. */
  readonly issued: number
  /** All tickets up to this one are durable. */
  readonly persisted: number
  /** The ticket of the last write that cut the log; what older writes appended may be gone. */
  readonly truncated: number
  /** The ticket of the last write of term or vote: no word of this term may go out before it. */
  readonly hardState: number
  readonly index: LogIndex.LogIndex
}

export interface NodeState {
  readonly self: NodeId
  readonly config: RaftConfig
  /** In force: the last in the log. */
  readonly membership: Membership.Membership
  /** That, and those that would be in force again if the log were cut. */
  readonly configurations: Configurations.Configurations
  readonly currentTerm: Term
  readonly votedFor: NodeId | null
  readonly log: RaftLog.RaftLog
  /** Where the bytes of further entries go. */
  readonly memory: LogMemory.LogMemory
  /** The newest snapshot on disk. It reaches at least to the log's base. */
  readonly snapshot: SnapshotMeta | undefined
  readonly commitIndex: LogIndex.LogIndex
  readonly durability: Durability
  /** The next id for a question to the leader. Begins at random, so that no answer from before a restart fits. */
  readonly nextRequestId: number
  /** When it last heard any leader; minus infinity before that. Unlike a follower's, never taken back. */
  readonly heardLeaderMillis: number
  /** When this process began to take part. */
  readonly startMillis: number
  readonly role: RoleState
}

/** The readings that come with an event. */
export interface Stamp {
  /** Monotonic clock, in milliseconds: for everything that is waited for. */
  readonly nowMillis: number
  /** Wall clock, in milliseconds since the epoch: what time in the log goes after (see LogClock). */
  readonly wallMillis: number
  /** A draw from [0, 1), for the election timeout. */
  readonly jitter: number
}

/** A node as it starts: a follower of nobody, with what its disk held. */
export const initial = (options: {
  readonly self: NodeId
  readonly config: RaftConfig
  /** In force while neither log nor snapshot says otherwise. */
  readonly membership: Membership.Membership
  readonly hardState: HardState
  readonly base: LogBase
  readonly blocks: ReadonlyArray<EntryBlock>
  /** How far an earlier life knew the log to be committed. */
  readonly committed: LogIndex.LogIndex
  readonly snapshot: SnapshotMeta | undefined
  readonly firstRequestId: number
  readonly stamp: Stamp
}): NodeState => {
  const log = RaftLog.fromBlocks(options.blocks, options.base)
  const first = {
    index: options.snapshot?.lastIndex ?? LogIndex.zero,
    membership: options.snapshot?.membership ?? options.membership
  }
  const configurations = Configurations.fromBlocks(first, options.blocks)
  return {
    self: options.self,
    config: options.config,
    membership: Configurations.latest(configurations).membership,
    configurations,
    currentTerm: options.hardState.currentTerm,
    votedFor: options.hardState.votedFor,
    log,
    memory: LogMemory.collected,
    snapshot: options.snapshot,
    // What was committed stays so, in every later term (section 5.4); what a snapshot covers was committed.
    commitIndex: LogIndex.max(options.snapshot?.lastIndex ?? LogIndex.zero, options.committed),
    durability: { issued: 0, persisted: 0, truncated: 0, hardState: 0, index: log.lastIndex },
    nextRequestId: options.firstRequestId,
    heardLeaderMillis: Number.NEGATIVE_INFINITY,
    startMillis: options.stamp.nowMillis,
    role: {
      _tag: "Follower",
      leader: null,
      heardMillis: Number.NEGATIVE_INFINITY,
      electionDeadlineMillis:
        options.stamp.nowMillis + electionDelayMillis(options.config, options.stamp.jitter),
      verifiedIndex: LogIndex.zero,
      reads: []
    }
  }
}

/**
 * A delay of whole milliseconds drawn from [t, 2t), t being the election timeout (section 5.2); with
 * `electionPriority` p only from the first 1/(1+p) of that. Who follows a leader takes turns (ElectionTurn).
 */
export const electionDelayMillis = (config: RaftConfig, jitter: number): number =>
  config.electionTimeoutMillis +
  Math.floor((config.electionTimeoutMillis * jitter) / (1 + config.electionPriority))

/** A node that leads. */
export type Leading = NodeState & { readonly role: Leader }

export const isLeading = (state: NodeState): state is Leading => state.role._tag === "Leader"

/** Who leads, as far as this node knows. */
export const leaderOf = (state: NodeState): NodeId | null => {
  if (state.role._tag === "Leader") return state.self
  return state.role._tag === "Follower" ? state.role.leader : null
}

/** Whom a leader hands over to. While it does it takes no commands. */
export const transferTo = ({ role }: NodeState): NodeId | undefined =>
  role._tag === "Leader" ? role.transfer?.to : undefined

/** Every other member. */
export const peersOf = (state: NodeState): ReadonlyArray<NodeId> =>
  Membership.allMembers(state.membership)
    .map((member) => member.id)
    .filter((id) => id !== state.self)

/** Whom a leader replicates to: the other members, and those who are about to leave. */
export const replicatedTo = ({ role }: NodeState): ReadonlyArray<NodeId> =>
  role._tag === "Leader" ? role.progress.peers : []

/** Every other member that counts to a quorum. */
export const otherVoters = (state: NodeState): ReadonlyArray<NodeId> =>
  Membership.votersByName(state.membership).filter((id) => id !== state.self)
