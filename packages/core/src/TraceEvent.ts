/**
 * A trace: what happened at a node, one line of JSON (ndjson) for each thing.
 *
 * A line says what happened, where and when, and what the node was like at that moment, so that it can be
 * read by itself, and a program can check a run with nothing but its trace. `docs/trace.md` shows a line
 * of every kind. Payloads do not stand in a trace, only their sizes.
 *
 * The data is its own JSON: what `JSON.stringify` makes of an event is its line.
 */
import * as Schema from "effect/Schema"
import { EntryKind } from "./LogEntry.ts"
import { LogIndex } from "./LogIndex.ts"
import { Membership } from "./Membership.ts"
import { MembershipChange } from "./MembershipChange.ts"
import { NodeId } from "./NodeId.ts"
import { SnapshotMeta } from "./Snapshot.ts"
import { Term } from "./Term.ts"
import { TracedEntries, TracedMessage } from "./TracedMessage.ts"

const Role = Schema.Literals(["Follower", "PreCandidate", "Candidate", "Leader"])

/** Paper, figure 2, "persistent state", without the log. */
const HardState = Schema.Struct({ currentTerm: Term, votedFor: Schema.NullOr(NodeId) })

/** The place before the first entry of a log. */
const LogBase = Schema.Struct({ index: LogIndex, term: Term })

/** What stands in every line. The state is the one in memory, which may be ahead of the disk. */
const moment = {
  node: NodeId,
  /** Of one clock for the whole trace: simulated, since the run began; real, since the epoch. */
  timeMillis: Schema.Finite,
  term: Term,
  votedFor: Schema.NullOr(NodeId),
  role: Role,
  /** Who leads the term, as far as the node knows. */
  leader: Schema.NullOr(NodeId),
  commitIndex: LogIndex,
  lastIndex: LogIndex,
  /** Those who count to the quorum. */
  voters: Schema.Array(NodeId),
  /** Only while two sets of voters must agree: the old one. */
  outgoing: Schema.optionalKey(Schema.Array(NodeId))
}

/** Names the write with which it becomes durable: see `Durable`. */
const ticket = Schema.Natural

/**
 * One thing that happened. What a node is told (`Received`, `TimerFired`, `Proposed`, `ReadsRequested`,
 * `MembershipRequested`, `TransferRequested`, `PeerLost`, `PeersFound`, `Durable`, `SnapshotTaken`,
 * `SnapshotReceived`)
 * stands with the state in which it found the node; everything else with the state that it left behind.
 */
export const TraceEvent = Schema.TaggedUnion({
  /** The node starts. `recovered`: its disk held something. */
  Started: {
    ...moment,
    recovered: Schema.Boolean,
    /** The log on its disk; `null` when empty. */
    log: Schema.NullOr(TracedEntries),
    /** Where that log begins. */
    base: LogBase,
    /** The newest snapshot on its disk. */
    snapshot: Schema.NullOr(SnapshotMeta),
    membership: Membership
  },
  /** It was told to stop (`ShuttingDown`), or failed. `reason` is the tag of a `RaftError` reason. */
  Stopped: { ...moment, reason: Schema.String, detail: Schema.String },
  /** The machine lost its power; only a simulation can tell. What was not synced is lost, or is there. */
  Crashed: { ...moment, unsynced: Schema.Literals(["Lost", "Kept"]) },

  /** It takes up a peer's message. */
  Received: { ...moment, from: NodeId, message: TracedMessage },
  TimerFired: { ...moment, timer: Schema.Literals(["Election", "Heartbeat", "ReadRetry"]) },
  /** Clients want commands in the log. The size of each, in order. */
  Proposed: { ...moment, commandBytes: Schema.Array(Schema.Natural) },
  /** Clients want to read. `readIds` are this node's names for the waiting calls. */
  ReadsRequested: { ...moment, readIds: Schema.Array(Schema.Natural) },
  /** Somebody wants the membership changed. */
  MembershipRequested: { ...moment, change: MembershipChange },
  /** Somebody wants another leader: `to`, or, where that is `null`, whoever is best. */
  TransferRequested: { ...moment, to: Schema.NullOr(NodeId) },
  /** The connection with a peer broke. */
  PeerLost: { ...moment, peer: NodeId },
  /** There are connections with these peers now. */
  PeersFound: { ...moment, peers: Schema.Array(NodeId) },
  /** All writes up to `ticket` are on disk, so the disk holds this. */
  Durable: { ...moment, ticket, hardState: HardState, durableIndex: LogIndex },
  /** A snapshot of its own machine is whole and durable. */
  SnapshotTaken: { ...moment, snapshot: SnapshotMeta },
  /** A snapshot that a leader sent is whole and durable. */
  SnapshotReceived: { ...moment, from: NodeId, snapshot: SnapshotMeta },

  /** Role, term or the known leader is another; what they were. */
  RoleChanged: {
    ...moment,
    previous: Schema.Struct({ role: Role, term: Term, leader: Schema.NullOr(NodeId) })
  },
  /** Term or vote is another, and goes to the disk. */
  HardStateChanged: { ...moment, ticket, hardState: HardState },
  /** Entries were removed: the one at `fromIndex` and all after it. */
  Truncated: { ...moment, ticket, fromIndex: LogIndex, count: Schema.Natural },
  Appended: { ...moment, ticket, entries: TracedEntries },
  /** The log begins later than before: a snapshot stands for what has gone. */
  LogBaseMoved: { ...moment, ticket, base: LogBase },
  /** This membership is in force now. */
  ConfigurationAdopted: { ...moment, membership: Membership },
  /** The commit index moved. */
  Committed: { ...moment, previousCommitIndex: LogIndex },
  ProposalsRefused: {
    ...moment,
    because: Schema.Literals(["NotLeader", "TooMuchUncommitted", "Transferring"])
  },
  /** The membership is not changed. `because`: `NotLeader`, or the tag of a `MembershipRejection`. */
  MembershipRefused: { ...moment, because: Schema.String },
  /** At a leader: this membership is committed, and is not on the way to another. */
  MembershipSettled: { ...moment, index: LogIndex, membership: Membership },
  /** The leader begins to hand over to a node. */
  TransferBegun: { ...moment, to: NodeId },
  /** It does not: it leads on. */
  TransferRefused: {
    ...moment,
    because: Schema.Literals(["NotLeader", "InProgress", "NoSuccessor", "AlreadyLeader", "NotAVoter"])
  },
  /** The node did not take over in time. The leader leads on, and takes commands again. */
  TransferAbandoned: { ...moment, to: NodeId },
  /** The reads may be answered by a machine that has applied `readIndex`. */
  ReadsConfirmed: { ...moment, readIds: Schema.Array(Schema.Natural), readIndex: LogIndex },
  /** The reads are not confirmed and will not be. */
  ReadsRefused: { ...moment, readIds: Schema.Array(Schema.Natural) },

  /** It gives a message to the transport, which may lose it. */
  Sent: { ...moment, to: NodeId, message: TracedMessage },
  /** The machine applied an entry. */
  Applied: {
    ...moment,
    index: LogIndex,
    entryTerm: Term,
    kind: EntryKind
  },
  /** The machine was restored from a snapshot that ends at `index`. */
  Restored: { ...moment, index: LogIndex },

  /** As many events are missing here: the trace could not be written as fast as things happened. */
  Dropped: { ...moment, count: Schema.Natural }
})
export type TraceEvent = typeof TraceEvent.Type

/** What stands in every line. */
export type Moment = Pick<TraceEvent, keyof typeof moment>

/** The part of an event that stands in every line. */
export const momentOf = (event: TraceEvent): Moment => ({
  node: event.node,
  timeMillis: event.timeMillis,
  term: event.term,
  votedFor: event.votedFor,
  role: event.role,
  leader: event.leader,
  commitIndex: event.commitIndex,
  lastIndex: event.lastIndex,
  voters: event.voters,
  ...(event.outgoing === undefined ? undefined : { outgoing: event.outgoing })
})

/** The fields of an event that do not stand in every line. */
export const detailsOf = (event: TraceEvent): ReadonlyArray<readonly [string, unknown]> =>
  Object.entries(event).filter(([field]) => field !== "_tag" && !(field in moment))

/** One line, without the newline. */
export const toLine = (event: TraceEvent): string => JSON.stringify(event)

/** Reads a line; throws a `SchemaError` where it is none. */
export const fromLine = Schema.decodeSync(Schema.fromJsonString(TraceEvent))
