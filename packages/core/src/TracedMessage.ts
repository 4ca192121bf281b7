/**
 * What a trace says of messages and entries: every field, but of payloads only the sizes.
 */
import * as Schema from "effect/Schema"
import * as LogEntry from "./LogEntry.ts"
import type { EntryBlock } from "./LogEntry.ts"
import * as LogIndex from "./LogIndex.ts"
import * as RaftMessage from "./RaftMessage.ts"
import { SnapshotMeta } from "./Snapshot.ts"
import { Term } from "./Term.ts"

const TermRun = Schema.Struct({
  term: Term,
  /** Index of the first entry that has it. */
  first: LogIndex.LogIndex
})

/** Consecutive entries. */
export const TracedEntries = Schema.Struct({
  /** Index of the first entry. */
  first: LogIndex.LogIndex,
  /** Index of the last entry. */
  last: LogIndex.LogIndex,
  /** The terms of the entries, each once. */
  terms: Schema.Array(TermRun),
  /** What the entries take in a log. */
  bytes: Schema.Natural
})
export type TracedEntries = typeof TracedEntries.Type

const ForwardOutcome = Schema.TaggedUnion({
  Applied: { replyBytes: Schema.Natural, index: LogIndex.LogIndex, term: Term },
  Refused: RaftMessage.ForwardOutcome.cases.Refused.fields,
  Unknown: RaftMessage.ForwardOutcome.cases.Unknown.fields
})

/** A `RaftMessage` without payloads. */
export const TracedMessage = Schema.Union([
  RaftMessage.PreVote,
  RaftMessage.PreVoteReply,
  RaftMessage.RequestVote,
  RaftMessage.RequestVoteReply,
  Schema.Struct({ ...RaftMessage.AppendEntries.fields, blocks: Schema.Array(TracedEntries) }),
  RaftMessage.CommitNotice,
  RaftMessage.AppendAccepted,
  RaftMessage.AppendRejected,
  RaftMessage.StaleTerm,
  RaftMessage.TimeoutNow,
  RaftMessage.ReadIndex,
  RaftMessage.ReadIndexReply,
  Schema.TaggedStruct("InstallSnapshot", {
    term: Term,
    snapshot: SnapshotMeta,
    sizeBytes: Schema.Natural,
    offset: Schema.Natural,
    /** The size of this piece. */
    dataBytes: Schema.Natural
  }),
  RaftMessage.InstallSnapshotReply,
  Schema.TaggedStruct("ForwardProposals", {
    term: Term,
    requestIds: Schema.Array(Schema.Natural),
    kinds: Schema.Array(LogEntry.ProposalKind),
    /** The size of each command, in the order of `requestIds`. */
    commandBytes: Schema.Array(Schema.Natural)
  }),
  Schema.TaggedStruct("ForwardReply", {
    term: Term,
    outcomes: Schema.Array(Schema.Struct({ requestId: Schema.Natural, outcome: ForwardOutcome }))
  })
])
export type TracedMessage = typeof TracedMessage.Type

/** What a trace says of consecutive blocks; `null` of none. */
export const ofBlocks = (blocks: ReadonlyArray<EntryBlock>): TracedEntries | null => {
  const [first] = blocks
  const last = blocks.at(-1)
  if (first === undefined || last === undefined) return null
  const terms: Array<typeof TermRun.Type> = []
  let bytes = 0
  for (const block of blocks) {
    bytes += block.bytes.byteLength
    for (const run of termRuns(block)) if (run.term !== terms.at(-1)?.term) terms.push(run)
  }
  return { first: first.firstIndex, last: LogEntry.lastIndex(last), terms, bytes }
}

const termRuns = (block: EntryBlock): ReadonlyArray<typeof TermRun.Type> =>
  block.firstTerm === block.lastTerm
    ? [{ term: block.firstTerm, first: block.firstIndex }]
    : block.offsets.map((_, position) => {
        const first = LogIndex.plus(block.firstIndex, position)
        return { term: LogEntry.termAt(block, first), first }
      })

/** The fields of each message in the order of the Schema, without values. */
const outlines = new Map<string, object>(
  TracedMessage.members.map(({ fields }) => [
    fields._tag.schema.literal,
    Object.fromEntries(Object.keys(fields).map((field) => [field, undefined]))
  ])
)

/**
 * What a trace says of a message. Its fields stand in the order of the Schema, whoever made the message, so
 * that it looks the same in the line of its sender and in that of its receiver.
 */
export const ofMessage = (message: RaftMessage.RaftMessage): TracedMessage => ({
  ...outlines.get(message._tag),
  ...withoutPayloads(message)
})

const withoutPayloads = (message: RaftMessage.RaftMessage): TracedMessage => {
  switch (message._tag) {
    case "AppendEntries":
      return { ...message, blocks: message.blocks.flatMap((block) => ofBlocks([block]) ?? []) }
    case "InstallSnapshot": {
      const { data, ...rest } = message
      return { ...rest, dataBytes: data.byteLength }
    }
    case "ForwardProposals": {
      const { commands, ...rest } = message
      return { ...rest, commandBytes: commands.map((command) => command.byteLength) }
    }
    case "ForwardReply":
      return {
        ...message,
        outcomes: message.outcomes.map(({ requestId, outcome }) => ({
          requestId,
          outcome: ofOutcome(outcome)
        }))
      }
    default:
      return message
  }
}

const ofOutcome = (outcome: RaftMessage.ForwardOutcome): typeof ForwardOutcome.Type => {
  if (outcome._tag !== "Applied") return outcome
  const { _tag, reply, index, term } = outcome
  return { _tag, replyBytes: reply.byteLength, index, term }
}
