/**
 * What peers say to each other: the RPCs of the paper's figure 2, each request and each reply a message
 * of its own, because an actor does not wait for answers.
 *
 * Every message carries the term it was made under. A reply is believed only if that is still the
 * receiver's term (Raft locking advice, rule 5). Pre-votes have messages of their own, so that a
 * pre-vote can never be counted as a vote. Sender and receiver stand on the envelope, which is the
 * transport's business.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"
import * as LogEntry from "./LogEntry.ts"
import type { EntryBlock } from "./LogEntry.ts"
import { LogIndex } from "./LogIndex.ts"
import { NodeId } from "./NodeId.ts"
import { SnapshotId, SnapshotMeta } from "./Snapshot.ts"
import { Term } from "./Term.ts"

/** A block in JSON: its bytes tell all but where it stands. */
const JsonBlock = Schema.Struct({ firstIndex: LogIndex, bytes: Schema.Uint8Array })

const fromJsonBlock = (json: typeof JsonBlock.Type): Effect.Effect<EntryBlock, SchemaIssue.InvalidValue> => {
  const block = LogEntry.decodeBlock(json.bytes, json.firstIndex)
  return block instanceof LogEntry.MalformedBlock
    ? Effect.fail(new SchemaIssue.InvalidValue({ message: block.message }))
    : Effect.succeed(block)
}

const Block = Schema.declare(
  (u): u is EntryBlock => typeof u === "object" && u !== null && "firstIndex" in u && "offsets" in u,
  {
    expected: "EntryBlock",
    toCodecJson: () =>
      Schema.link<EntryBlock>()(
        JsonBlock,
        SchemaTransformation.transformEffect({
          decode: fromJsonBlock,
          encode: ({ firstIndex, bytes }) => Effect.succeed({ firstIndex, bytes })
        })
      )
  }
)

/** "Would you vote for me in `term`?" Changes nothing at either end (thesis, section 9.6). */
export const PreVote = Schema.TaggedStruct("PreVote", {
  /** The term that the sender would start: one more than its own. */
  term: Term,
  lastLogIndex: LogIndex,
  lastLogTerm: Term
})
export type PreVote = typeof PreVote.Type

export const PreVoteReply = Schema.TaggedStruct("PreVoteReply", {
  /** The replier's current term. */
  term: Term,
  /** The term that was asked for. */
  requestedTerm: Term,
  granted: Schema.Boolean
})
export type PreVoteReply = typeof PreVoteReply.Type

/** A candidate asks for a vote (section 5.2). */
export const RequestVote = Schema.TaggedStruct("RequestVote", {
  term: Term,
  lastLogIndex: LogIndex,
  lastLogTerm: Term,
  /** The present leader asked for this election, so nobody protects it (thesis, section 3.10). */
  leadershipTransfer: Schema.Boolean
})
export type RequestVote = typeof RequestVote.Type

export const RequestVoteReply = Schema.TaggedStruct("RequestVoteReply", {
  term: Term,
  granted: Schema.Boolean
})
export type RequestVoteReply = typeof RequestVoteReply.Type

/** The leader replicates entries, or, with none, says that it is alive (section 5.3). */
export const AppendEntries = Schema.TaggedStruct("AppendEntries", {
  term: Term,
  prevLogIndex: LogIndex,
  prevLogTerm: Term,
  /** Consecutive blocks, the first of which begins at `prevLogIndex + 1`. Empty is a heartbeat. */
  blocks: Schema.Array(Block),
  leaderCommit: LogIndex,
  /** Echoed in the reply: which round of "am I still the leader?" this message belongs to (section 8). */
  round: Schema.Natural
})
export type AppendEntries = typeof AppendEntries.Type

/**
 * The leader tells a follower that has acknowledged everything what is committed by now. It claims nothing
 * about the follower's log, so there is nothing to refuse; and nobody waits for an answer, so there is none.
 */
export const CommitNotice = Schema.TaggedStruct("CommitNotice", { term: Term, leaderCommit: LogIndex })
export type CommitNotice = typeof CommitNotice.Type

/** The follower's log matches the leader's up to `matchIndex`, and that part is durable. */
export const AppendAccepted = Schema.TaggedStruct("AppendAccepted", {
  term: Term,
  matchIndex: LogIndex,
  round: Schema.Natural
})
export type AppendAccepted = typeof AppendAccepted.Type

/** The follower has no entry (`prevLogIndex`, `prevLogTerm`). */
export const AppendRejected = Schema.TaggedStruct("AppendRejected", {
  term: Term,
  /** The `prevLogIndex` that was refused. */
  prevLogIndex: LogIndex,
  /** Term of the follower's entry there; 0 where its log is shorter. */
  conflictTerm: Term,
  /** First index of `conflictTerm` in the follower's log, or one past its last entry. */
  conflictIndex: LogIndex,
  round: Schema.Natural
})
export type AppendRejected = typeof AppendRejected.Type

/**
 * A request came of a term before `term` (section 5.1). It says nothing else: the one who asked may lead
 * `term` by now, and would take any other answer for one to what it asks in this term.
 */
export const StaleTerm = Schema.TaggedStruct("StaleTerm", { term: Term })
export type StaleTerm = typeof StaleTerm.Type

/** The leader asks a follower to stand for election at once (thesis, section 3.10). */
export const TimeoutNow = Schema.TaggedStruct("TimeoutNow", { term: Term })
export type TimeoutNow = typeof TimeoutNow.Type

/** A follower asks the leader for an index to read at (thesis, section 6.4). */
export const ReadIndex = Schema.TaggedStruct("ReadIndex", { term: Term, requestId: Schema.Natural })
export type ReadIndex = typeof ReadIndex.Type

/** The leader was still the leader after `requestId` was asked; all up to `readIndex` was committed. */
export const ReadIndexReply = Schema.TaggedStruct("ReadIndexReply", {
  term: Term,
  requestId: Schema.Natural,
  readIndex: LogIndex
})
export type ReadIndexReply = typeof ReadIndexReply.Type

/** The leader sends a piece of its snapshot to a peer that is behind the leader's log (section 7). */
export const InstallSnapshot = Schema.TaggedStruct("InstallSnapshot", {
  term: Term,
  snapshot: SnapshotMeta,
  /** The size of the whole snapshot, in bytes. */
  sizeBytes: Schema.Natural,
  /** Where in the snapshot `data` begins. It is the last piece if it ends at `sizeBytes`. */
  offset: Schema.Natural,
  data: Schema.Uint8Array
})
export type InstallSnapshot = typeof InstallSnapshot.Type

/** How far the peer has got with a snapshot. */
export const InstallSnapshotReply = Schema.TaggedStruct("InstallSnapshotReply", {
  term: Term,
  snapshotId: SnapshotId,
  /** The next byte that it wants; what lies before it need not be sent again. */
  offset: Schema.Natural,
  /** Its log is the leader's up to here, durably: the snapshot's last index once it is installed, or 0. */
  matchIndex: LogIndex
})
export type InstallSnapshotReply = typeof InstallSnapshotReply.Type

/** A node passes commands of its clients on to the leader. */
export const ForwardProposals = Schema.TaggedStruct("ForwardProposals", {
  term: Term,
  /** Chosen by the sender, one for each command. */
  requestIds: Schema.Array(Schema.Natural),
  /** In the order of `requestIds`, as all that follows. */
  kinds: Schema.Array(LogEntry.ProposalKind),
  /** The encoded commands, or records of sessions. */
  commands: Schema.Array(Schema.Uint8Array)
})
export type ForwardProposals = typeof ForwardProposals.Type

/** What became of one forwarded command: the machine's reply, or why there is none. */
export const ForwardOutcome = Schema.TaggedUnion({
  /** Applied at `index`; `reply` is the machine's, encoded, or a session's `SessionAnswer`. */
  Applied: { reply: Schema.Uint8Array, index: LogIndex, term: Term },
  /** Surely not in the log: nobody will apply it. `reason` is the tag of a `RaftError` reason. */
  Refused: { reason: Schema.String, leader: Schema.NullOr(NodeId) },
  /** In a log, but nobody knows yet whether it will be committed. */
  Unknown: { index: LogIndex, term: Term }
})
export type ForwardOutcome = typeof ForwardOutcome.Type

export const ForwardReply = Schema.TaggedStruct("ForwardReply", {
  term: Term,
  outcomes: Schema.Array(Schema.Struct({ requestId: Schema.Natural, outcome: ForwardOutcome }))
})
export type ForwardReply = typeof ForwardReply.Type

/** Every message that one peer may send to another. */
export const RaftMessage = Schema.Union([
  PreVote,
  PreVoteReply,
  RequestVote,
  RequestVoteReply,
  AppendEntries,
  CommitNotice,
  AppendAccepted,
  AppendRejected,
  StaleTerm,
  TimeoutNow,
  ReadIndex,
  ReadIndexReply,
  InstallSnapshot,
  InstallSnapshotReply,
  ForwardProposals,
  ForwardReply
])
export type RaftMessage = typeof RaftMessage.Type
