/**
 * Whether nodes keep their word over a crash: "persistent state is updated on stable storage before
 * responding to RPCs" (paper, figure 2).
 *
 * A vote and an acknowledgement are promises. What a node has promised it must still know when it starts
 * again: that it voted in the term, and for whom, and the entries that it said it had.
 */
import type { NodeState } from "../../consensus/NodeState.ts"
import * as RaftLog from "../../consensus/RaftLog.ts"
import * as LogIndex from "../../LogIndex.ts"
import type { NodeId } from "../../NodeId.ts"
import type { RaftMessage } from "../../RaftMessage.ts"
import type { RaftTracer } from "../../RaftTrace.ts"
import * as Term from "../../Term.ts"

/** What a node has said, over all its lives. */
interface Word {
  vote: { readonly term: Term.Term; readonly candidate: NodeId } | undefined
  /** The last entry that it said it had, and has not been told to remove since. */
  entry: { readonly index: LogIndex.LogIndex; readonly term: Term.Term }
}

/** Tells of a broken promise, in a sentence. */
export const tracerOf = (onBroken: (what: string) => void): ((nodeId: NodeId) => RaftTracer) => {
  const words = new Map<NodeId, Word>()
  return (nodeId) => {
    const word = words.get(nodeId) ?? { vote: undefined, entry: { index: LogIndex.zero, term: Term.zero } }
    words.set(nodeId, word)
    let log = RaftLog.empty()
    return {
      onStart: (state) => {
        log = state.log
        const problem = brokenVote(word, state) ?? brokenEntry(word, state)
        if (problem !== undefined) onBroken(`${nodeId} ${problem}, and does not know it after its restart`)
      },
      onTurn: ({ after, actions }) => {
        log = after.log
        for (const action of actions) {
          if (action._tag === "Persist" && action.truncateFrom !== undefined) {
            const last = LogIndex.min(word.entry.index, LogIndex.plus(action.truncateFrom, -1))
            word.entry = { index: last, term: RaftLog.termAt(log, last) ?? Term.zero }
          }
        }
      },
      onSend: (to, message) => give(word, { self: nodeId, to, message, log })
    }
  }
}

const give = (
  word: Word,
  said: {
    readonly self: NodeId
    readonly to: NodeId
    readonly message: RaftMessage
    readonly log: RaftLog.RaftLog
  }
): void => {
  const { self, to, message, log } = said
  if (message._tag === "RequestVote") word.vote = { term: message.term, candidate: self }
  if (message._tag === "RequestVoteReply" && message.granted) {
    word.vote = { term: message.term, candidate: to }
  }
  const isMatch = message._tag === "AppendAccepted" || message._tag === "InstallSnapshotReply"
  if (isMatch && message.matchIndex > word.entry.index) {
    const term = RaftLog.termAt(log, message.matchIndex)
    if (term !== undefined) word.entry = { index: message.matchIndex, term }
  }
}

const brokenVote = ({ vote }: Word, { currentTerm, votedFor }: NodeState): string | undefined =>
  vote === undefined || currentTerm > vote.term || (currentTerm === vote.term && votedFor === vote.candidate)
    ? undefined
    : `voted for ${vote.candidate} in term ${vote.term}`

/** A log that begins later than the entry has a snapshot for it. */
const brokenEntry = ({ entry }: Word, { log }: NodeState): string | undefined =>
  entry.index <= log.base.index || RaftLog.termAt(log, entry.index) === entry.term
    ? undefined
    : `said that it had the entry of term ${entry.term} at index ${entry.index}`
