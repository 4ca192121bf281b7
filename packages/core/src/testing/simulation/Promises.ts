/**
 * Whether nodes promise only what a crash cannot take back: "persistent state is updated on stable storage
 * before responding to RPCs" (paper, figure 2).
 *
 * A vote is a promise, for another or for oneself, and so is an acknowledgement. The moment it is sent, the
 * disk must hold it.
 */
import type { NodeState } from "../../consensus/NodeState.ts"
import * as RaftLog from "../../consensus/RaftLog.ts"
import type { NodeId } from "../../NodeId.ts"
import type { RaftMessage } from "../../RaftMessage.ts"
import type { RaftTracer } from "../../RaftTrace.ts"
import type { Term } from "../../Term.ts"
import type { Disks } from "./Disks.ts"

/** Tells of a promise without a disk behind it, in a sentence. */
export const tracerOf =
  (disks: Disks, onEmpty: (what: string) => void) =>
  (nodeId: NodeId): RaftTracer => {
    let state: NodeState | undefined
    return {
      onStart: (initial) => {
        state = initial
      },
      onTurn: ({ after }) => {
        state = after
      },
      onSend: (to, message) => {
        const promise = promiseOf(disks, { self: nodeId, state: state!, to, message })
        if (promise !== undefined) onEmpty(`${nodeId} says that ${promise}, before that is on its disk`)
      }
    }
  }

interface Said {
  readonly self: NodeId
  readonly state: NodeState
  readonly to: NodeId
  readonly message: RaftMessage
}

/** What is promised and not on the disk. */
const promiseOf = (disks: Disks, { self, state, to, message }: Said): string | undefined => {
  switch (message._tag) {
    case "RequestVote":
      return emptyVote(disks, self, { term: message.term, candidate: self })
    case "RequestVoteReply":
      return message.granted ? emptyVote(disks, self, { term: message.term, candidate: to }) : undefined
    case "AppendAccepted":
    case "InstallSnapshotReply": {
      // An answer of an earlier term waited for the disk while a new leader may have cut the log.
      if (message.term !== state.currentTerm) return undefined
      // A log begins later only when the snapshot that stands for the rest is on the disk.
      if (message.matchIndex <= state.log.base.index) return undefined
      const entry = { index: message.matchIndex, term: RaftLog.termAt(state.log, message.matchIndex) }
      return disks.holds(self, entry) ? undefined : `it has the entry of term ${entry.term} at ${entry.index}`
    }
    default:
      return undefined
  }
}

const emptyVote = (
  disks: Disks,
  self: NodeId,
  vote: { readonly term: Term; readonly candidate: NodeId }
): string | undefined => {
  const { currentTerm, votedFor } = disks.hardState(self)
  const isKept = currentTerm > vote.term || (currentTerm === vote.term && votedFor === vote.candidate)
  return isKept ? undefined : `it votes for ${vote.candidate} in term ${vote.term}`
}
