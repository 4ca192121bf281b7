/**
 * Bugs in the rules: what a reader of the paper may get wrong, each in one line of `consensus/`.
 */
import * as Aims from "./Aims.ts"
import type { Bug } from "./Bug.ts"

export const ruleBugs: ReadonlyArray<Bug> = [
  // --- terms and votes ----------------------------------------------------------------------------
  {
    name: "two votes in a term",
    claim: "each server votes for at most one candidate in a term (paper, 5.2)",
    file: "consensus/Election.ts",
    find: "(state.votedFor === null || state.votedFor === from) && ",
    replace: ""
  },
  {
    name: "a restarted node has forgotten its vote",
    claim: "votedFor is persistent state (paper, figure 2)",
    file: "consensus/NodeState.ts",
    find: "votedFor: options.hardState.votedFor,",
    replace: "votedFor: null,"
  },
  {
    name: "a write says that all before it is committed",
    claim: "an entry is committed once a majority has it (paper, 5.3)",
    file: "consensus/Durable.ts",
    find: "committed: state.commitIndex,",
    replace: "committed: kept.lastIndex,"
  },
  {
    name: "a restarted node takes its whole log for committed",
    claim: "an entry is committed once a majority has it (paper, 5.3)",
    file: "consensus/NodeState.ts",
    find: "LogIndex.max(options.snapshot?.lastIndex ?? LogIndex.zero, options.committed)",
    replace: "log.lastIndex"
  },
  {
    name: "stepping down within a term forgets the vote",
    claim: "each server votes for at most one candidate in a term (paper, 5.2)",
    file: "consensus/Following.ts",
    find: "options.term > state.currentTerm ? null : state.votedFor",
    replace: "null"
  },
  {
    name: "the term is not written with the vote",
    claim: "currentTerm is persistent state (paper, figure 2)",
    file: "consensus/Durable.ts",
    find: "hardState: { currentTerm, votedFor },",
    replace: "hardState: { currentTerm: votedFor === null ? currentTerm : state.currentTerm, votedFor },"
  },
  {
    name: "a vote is told before it is on disk",
    claim: "servers update stable storage before they respond (paper, figure 2)",
    file: "consensus/Election.ts",
    find: 'Durable.sendInTerm(voted, from, { _tag: "RequestVoteReply", term: voted.currentTerm, granted }, emit)',
    replace:
      'emit({ _tag: "SendNow", to: from, message: { _tag: "RequestVoteReply", term: voted.currentTerm, granted } })'
  },
  {
    name: "a candidate asks for votes before its own is on disk",
    claim: "a candidate votes for itself, and a vote is persistent (paper, 5.2 and figure 2)",
    file: "consensus/Election.ts",
    find: 'role._tag === "Candidate" && role.votes.has(state.self) && !role.votes.has(peer)',
    replace: 'role._tag === "Candidate" && !role.votes.has(peer)'
  },
  {
    name: "a vote for a shorter log",
    claim: "of two logs that end in the same term the longer is more up-to-date (paper, 5.4.1)",
    file: "consensus/RaftLog.ts",
    find: "(other.lastLogTerm === log.lastTerm && other.lastLogIndex >= log.lastIndex)",
    replace: "other.lastLogTerm === log.lastTerm"
  },
  {
    name: "a vote for a longer log of an older term",
    claim: "the log with the later last term is more up-to-date (paper, 5.4.1)",
    file: "consensus/RaftLog.ts",
    find: "other.lastLogTerm > log.lastTerm ||",
    replace: "other.lastLogTerm > log.lastTerm || other.lastLogIndex > log.lastIndex ||"
  },
  {
    name: "pre-votes are kept as votes",
    claim: "a pre-vote is no vote (thesis, 9.6)",
    file: "consensus/Election.ts",
    find: "votes: new Map(),",
    replace:
      'votes: new Map(state.role._tag === "PreCandidate" ? [...state.role.votes].filter(([id]) => id !== state.self) : []),'
  },
  {
    name: "a late pre-vote is counted as a vote",
    claim: "a pre-vote is no vote (thesis, 9.6)",
    file: "consensus/Election.ts",
    find: 'if (role._tag !== "PreCandidate" || message.requestedTerm',
    replace:
      'if (role._tag === "Candidate") return countVote(state, from, message.granted, stamp, emit)\n' +
      '  if (role._tag !== "PreCandidate" || message.requestedTerm'
  },
  {
    name: "a stale reply is believed after a term change",
    claim: "a reply is compared with the term in which it was asked for (paper, 5.1)",
    file: "consensus/Transition.ts",
    find: "    refuseStale(state, from, message, emit)\n    return undefined",
    replace:
      "    refuseStale(state, from, message, emit)\n" +
      '    return message._tag === "RequestVoteReply" || message._tag === "AppendAccepted" ? state : undefined'
  },
  {
    name: "a deposed leader is obeyed",
    claim: "a request with a stale term number is rejected (paper, 5.1)",
    file: "consensus/Transition.ts",
    find: "  if (message.term < state.currentTerm) {",
    replace:
      '  if (message._tag === "AppendEntries" && message.term < state.currentTerm && state.role._tag !== "Leader") return state\n' +
      "  if (message.term < state.currentTerm) {"
  },
  {
    name: "half of an even cluster is a majority",
    claim: "two majorities overlap (paper, 5.2 and 5.4.3)",
    file: "consensus/Quorum.ts",
    find: "Math.floor(size / 2) + 1",
    replace: "Math.ceil(size / 2)"
  },

  // --- the log ------------------------------------------------------------------------------------
  {
    name: "entries are acknowledged before they are on disk",
    claim: "servers update stable storage before they respond (paper, figure 2)",
    file: "consensus/LogMatching.ts",
    find: "Durable.sendAfter(state, state.durability.issued, to, accepted(verifiedIndex), emit)",
    replace: 'emit({ _tag: "SendNow", to, message: accepted(verifiedIndex) })'
  },
  {
    name: "a leader counts itself before its own disk has the entry",
    claim: "an entry is committed once it is stored on a majority (paper, 5.3)",
    file: "consensus/Commitment.ts",
    find: "voter === state.self ? state.durability.index",
    replace: "voter === state.self ? state.log.lastIndex"
  },
  {
    name: "a stale append cuts the log",
    claim: "only entries that conflict are removed (paper, 5.3 and figure 2)",
    file: "consensus/LogMatching.ts",
    find: "if (firstNew === undefined) return state",
    replace:
      "const end = blocks.length === 0 ? state.log.lastIndex : LogEntry.lastIndex(blocks[blocks.length - 1])\n" +
      "  if (firstNew === undefined && end < state.log.lastIndex) return Durable.appendBlocks(state, [], LogIndex.plus(end, 1), emit)\n" +
      "  if (firstNew === undefined) return state"
  },
  {
    name: "the term of the previous entry is not looked at",
    claim: "the consistency check compares index and term (paper, 5.3)",
    file: "consensus/LogMatching.ts",
    find: "if (term === message.prevLogTerm) return undefined",
    replace: "if (term !== undefined) return undefined"
  },
  {
    name: "a conflicting entry is not removed",
    claim: "an existing entry that conflicts is deleted with all that follow it (paper, 5.3)",
    file: "consensus/LogMatching.ts",
    find: "firstNew <= state.log.lastIndex ? firstNew : undefined",
    replace: "undefined"
  },
  {
    name: "what a truncation took away still counts as durable",
    claim: "an entry is committed once it is stored on a majority (paper, 5.3)",
    file: "consensus/Durable.ts",
    find: "LogIndex.min(state.durability.index, LogIndex.plus(truncateFrom, -1))",
    replace: "state.durability.index"
  },
  {
    name: "a write that was overtaken by a truncation counts",
    claim: "an entry is committed once it is stored on a majority (paper, 5.3)",
    file: "consensus/Durable.ts",
    find: "event.ticket >= durability.truncated",
    replace: "true",
    aim: Aims.all(Aims.usurped, Aims.busy, Aims.slowDisks)
  },

  // --- commitment ---------------------------------------------------------------------------------
  {
    name: "an entry of an old term is committed by counting",
    claim: "only entries of the leader's own term are committed by counting (paper, 5.4.2 and figure 8)",
    file: "consensus/Commitment.ts",
    find: " || RaftLog.termAt(state.log, held) !== state.currentTerm",
    replace: ""
  },
  {
    name: "a commit index is believed beyond what was verified",
    claim: "commitIndex = min(leaderCommit, index of last new entry) (paper, figure 2)",
    file: "consensus/Commitment.ts",
    find: "LogIndex.min(leaderCommit, verifiedIndex)",
    replace: "LogIndex.min(leaderCommit, state.log.lastIndex)"
  },
  {
    name: "a notice of the commit index is believed beyond what was verified",
    claim: "commitIndex = min(leaderCommit, index of last new entry) (paper, figure 2)",
    file: "consensus/LogMatching.ts",
    find: "Commitment.learn(following, message.leaderCommit, following.role.verifiedIndex)",
    replace: "Commitment.learn(following, message.leaderCommit, following.log.lastIndex)",
    unseen: "notices go to those who have acknowledged everything"
  },
  {
    name: "a new leader takes it that everybody has its log",
    claim: "matchIndex is initialized to 0 (paper, figure 2)",
    file: "consensus/Progress.ts",
    find: "matchIndex: LogIndex.zero,\n  nextIndex: options.nextIndex,",
    replace: "matchIndex: LogIndex.plus(options.nextIndex, -1),\n  nextIndex: options.nextIndex,"
  },
  {
    name: "a leader that is refused does not back off",
    claim: "after a rejection the leader decrements nextIndex and retries (paper, 5.3)",
    file: "consensus/Progress.ts",
    find: "nextIndex: LogIndex.max(nextIndex, LogIndex.plus(progress.matchIndex, 1)),",
    replace: "nextIndex: progress.nextIndex,"
  },
  {
    name: "a new leader appends no no-op",
    claim: "each leader commits a blank no-op entry at the start of its term (paper, 8)",
    file: "consensus/Replication.ts",
    find: 'return appendDrafts(leading, [{ kind: "NoOp", payload: new Uint8Array(0) }], stamp, emit)',
    replace: "return leading"
  },
  {
    name: "time in the log goes back with the leader's clock",
    claim: "the timestamps of entries never decrease (docs/ARCHITECTURE.md)",
    file: "consensus/LogClock.ts",
    find: "RaftLog.lastTimestampMillis(state.log),",
    replace: "0,"
  },
  {
    name: "time in the log jumps with the leader's clock",
    claim: "a leader's clock that is set makes nobody's session expire (docs/decisions/0047)",
    file: "consensus/LogClock.ts",
    find: "const fastest = 2",
    replace: "const fastest = Number.MAX_SAFE_INTEGER",
    unseen:
      "a session that expires too soon does so on every node at the same entry, which is all that clients are promised"
  },

  // --- reads --------------------------------------------------------------------------------------
  {
    name: "a leader reads without asking a quorum",
    claim: "a leader exchanges heartbeats with a majority before it answers a read (paper, 8)",
    file: "consensus/ReadIndex.ts",
    find: "read.round > 0 && read.round <= answeredFor(askerOf(read))",
    replace: "read.round > 0",
    aim: Aims.all(Aims.unnoticed, Aims.busy)
  },
  {
    name: "a read is confirmed by an older round",
    claim: "the round of heartbeats begins after the read has come (thesis, 6.4)",
    file: "consensus/ReadIndex.ts",
    find: "read.round <= answeredFor(askerOf(read))",
    replace: "read.round - 1 <= answeredFor(askerOf(read))",
    aim: Aims.all(Aims.frozen, Aims.busy)
  },
  {
    name: "a follower's question confirms everybody's reads",
    claim: "a question was sent after its own reads had come, but maybe before others (docs/decisions/0035)",
    file: "consensus/ReadIndex.ts",
    find: "read.round <= answeredFor(askerOf(read))",
    replace: "read.round <= answeredFor(role.reads.map(askerOf).find((asker) => asker !== undefined))",
    aim: Aims.all(Aims.frozen, Aims.busy)
  },
  {
    name: "who is asked first is one too few",
    claim: "a round needs the answers of a quorum (thesis, 6.4)",
    file: "consensus/Rounds.ts",
    find: "asked.includes(voter) ? 1 : 0\n    ) >= 1",
    replace: "asked.includes(voter) ? 1 : 0\n    ) >= 0",
    unseen: "it costs only time: the next heartbeat asks everybody"
  },
  {
    name: "a new leader reads before its first commit",
    claim: "a leader must know which entries are committed, at the start of its term it may not (paper, 8)",
    file: "consensus/ReadIndex.ts",
    find: "state.commitIndex < role.termStartIndex || ",
    replace: ""
  },
  {
    name: "the refusal of an old term's append answers a round of that term",
    claim: "a leader must check whether it has been deposed before it answers a read (paper, 8)",
    file: "consensus/Transition.ts",
    find: '    case "AppendEntries":\n    case "InstallSnapshot":\n      return Durable.sendInTerm(',
    replace:
      '    case "AppendEntries":\n' +
      '      if (message._tag === "AppendEntries") {\n' +
      "        const conflict = { conflictTerm: message.prevLogTerm, conflictIndex: message.prevLogIndex }\n" +
      "        const { prevLogIndex, round } = message\n" +
      '        return Durable.sendInTerm(state, from, { _tag: "AppendRejected", term: state.currentTerm, prevLogIndex, round, ...conflict }, emit)\n' +
      "      }\n" +
      '    case "InstallSnapshot":\n      return Durable.sendInTerm('
  },
  {
    name: "a follower reads its own state without asking the leader",
    claim: "read-only operations return no stale data (paper, 8)",
    file: "consensus/ReadIndex.ts",
    find: "  const request: ReadRequest = { requestId",
    replace:
      '  if (role.leader !== null) {\n    emit({ _tag: "ReadsConfirmed", readIds, readIndex: state.commitIndex })\n    return state\n  }\n' +
      "  const request: ReadRequest = { requestId"
  },
  {
    name: "reads are forgotten when the leader steps down",
    claim: "every call ends (DESIGN, 2)",
    file: "consensus/ReadIndex.ts",
    find: 'if (readIds.length > 0) emit({ _tag: "ReadsRefused", readIds })',
    replace: "",
    unseen: "a read that is forgotten ends with its timeout, as others do"
  }
]
