/**
 * Any message that a peer could send, for property tests of whatever carries messages.
 *
 * Two kinds have rules that their schemas do not tell: the blocks of an append follow one another, and
 * every forwarded command has a request id.
 */
import * as Arbitrary from "effect/Arbitrary"
import * as Base64 from "effect/encoding/Base64"
import * as Schema from "effect/Schema"
import * as LogEntry from "../LogEntry.ts"
import * as LogIndex from "../LogIndex.ts"
import * as RaftMessage from "../RaftMessage.ts"
import { Term } from "../Term.ts"

const Plain = Schema.Union([
  RaftMessage.PreVote,
  RaftMessage.PreVoteReply,
  RaftMessage.RequestVote,
  RaftMessage.RequestVoteReply,
  RaftMessage.CommitNotice,
  RaftMessage.AppendAccepted,
  RaftMessage.AppendRejected,
  RaftMessage.StaleTerm,
  RaftMessage.TimeoutNow,
  RaftMessage.ReadIndex,
  RaftMessage.ReadIndexReply,
  RaftMessage.InstallSnapshot,
  RaftMessage.InstallSnapshotReply,
  RaftMessage.ForwardReply
])

const Drafts = Schema.NonEmptyArray(
  Schema.Struct({
    kind: LogEntry.EntryKind,
    payload: Schema.Uint8Array
  })
)

const Append = Schema.Struct({
  head: RaftMessage.AppendEntries.mapFields(({ blocks: _, ...head }) => head),
  blocks: Schema.Array(
    Schema.Struct({ drafts: Drafts, timestampMillis: Schema.Natural, termsLater: Schema.Natural })
  )
})

const Forward = Schema.Struct({
  term: Term,
  proposals: Schema.Array(
    Schema.Struct({ requestId: Schema.Natural, kind: LogEntry.ProposalKind, command: Schema.Uint8Array })
  )
})

const toAppend = ({ blocks, head }: typeof Append.Type): RaftMessage.AppendEntries => {
  let firstIndex = LogIndex.plus(head.prevLogIndex, 1)
  let term = 1
  const encoded = blocks.map(({ drafts, termsLater, timestampMillis }) => {
    term += termsLater % 3
    const block = LogEntry.encodeBlock(drafts, { firstIndex, term: Term.make(term), timestampMillis })
    firstIndex = LogIndex.plus(firstIndex, drafts.length)
    return block
  })
  return { ...head, blocks: encoded }
}

const toForward = ({ proposals, term }: typeof Forward.Type): RaftMessage.ForwardProposals => ({
  _tag: "ForwardProposals",
  term,
  requestIds: proposals.map(({ requestId }) => requestId),
  kinds: proposals.map(({ kind }) => kind),
  commands: proposals.map(({ command }) => command)
})

/** Half a surrogate pair is no text that UTF-8 could carry. */
const wellFormed = (message: typeof Plain.Type): RaftMessage.RaftMessage =>
  message._tag === "ForwardReply"
    ? {
        ...message,
        outcomes: message.outcomes.map(({ outcome, requestId }) => ({
          requestId,
          outcome: wellFormedOutcome(outcome)
        }))
      }
    : message

const wellFormedOutcome = (outcome: RaftMessage.ForwardOutcome): RaftMessage.ForwardOutcome =>
  outcome._tag === "Refused" ? { ...outcome, reason: outcome.reason.toWellFormed() } : outcome

/** Messages of every kind. */
export const raftMessage: Arbitrary.Arbitrary<RaftMessage.RaftMessage> = Arbitrary.flatMap(
  Arbitrary.schema(Schema.Literals(["Plain", "Append", "Forward"])),
  (kind): Arbitrary.Arbitrary<RaftMessage.RaftMessage> => {
    switch (kind) {
      case "Plain":
        return Arbitrary.map(Arbitrary.schema(Plain), wellFormed)
      case "Append":
        return Arbitrary.map(Arbitrary.schema(Append), toAppend)
      case "Forward":
        return Arbitrary.map(Arbitrary.schema(Forward), toForward)
    }
  }
)

/** A text that two messages share exactly when they are the same, to the last byte. */
export const fingerprint = (message: RaftMessage.RaftMessage): string =>
  JSON.stringify(message, (_key, value: unknown) => {
    if (value instanceof Uint8Array) return Base64.encode(value)
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value
    return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)))
  })
