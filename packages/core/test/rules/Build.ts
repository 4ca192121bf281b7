/**
 * Short ways to write down what the rules speak about: logs, messages, memberships.
 *
 * A log is written as the list of its entries' terms, as in the paper's figures: `[1, 1, 2]` is a log of
 * three entries. What an entry says follows from its index and term, so that equal entries are equal
 * wherever a test makes them.
 */
import * as LogEntry from "../../src/LogEntry.ts"
import type { LogIndex } from "../../src/LogIndex.ts"
import * as Memberships from "../../src/Membership.ts"
import type * as Membership from "../../src/Membership.ts"
import type { NodeId } from "../../src/NodeId.ts"
import { RaftConfig } from "../../src/RaftConfig.ts"
import type * as RaftMessage from "../../src/RaftMessage.ts"
import type { LogBase } from "../../src/RaftStorage.ts"
import type { SnapshotMeta } from "../../src/Snapshot.ts"
import type { Term } from "../../src/Term.ts"

/** A place in a log. */
export interface Place {
  readonly index: number
  readonly term: number
}

/** The place before every log. */
export const start: Place = { index: 0, term: 0 }

/** Where a log begins. */
export const logBase = ({ index, term }: Place): LogBase => ({
  index: index as LogIndex,
  term: term as Term
})

/** A snapshot that ends at a place; `by` is who took it. */
export const snapshot = (
  { index, term }: Place,
  options: {
    readonly membership?: Membership.Membership
    readonly by?: string
    readonly timestampMillis?: number
  } = {}
): SnapshotMeta => ({
  id: `${options.by ?? "n1"}-${index}`,
  lastIndex: index as LogIndex,
  lastTerm: term as Term,
  lastTimestampMillis: options.timestampMillis ?? 0,
  membership: options.membership ?? membership({ voters: 3 })
})

export const id = (name: string): NodeId => name as NodeId

/** `n1` to `n<count>`, the first `voters` of which vote. */
export const membership = (options: {
  readonly voters: number
  readonly learners?: number
}): Membership.Membership => {
  const members = Array.from({ length: options.voters + (options.learners ?? 0) }, (_, position) => ({
    id: id(`n${position + 1}`),
    address: `memory:n${position + 1}`
  }))
  return {
    _tag: "Simple",
    voters: members.slice(0, options.voters),
    learners: members.slice(options.voters)
  }
}

/** Two sets of voters that must both agree (paper, section 6). */
export const joint = (options: {
  readonly voters: ReadonlyArray<string>
  readonly outgoing: ReadonlyArray<string>
}): Membership.Membership => {
  const members = (names: ReadonlyArray<string>) =>
    names.map((name) => ({ id: id(name), address: `memory:${name}` }))
  return { _tag: "Joint", voters: members(options.voters), outgoing: members(options.outgoing), learners: [] }
}

/** Times that are easy to count with: an election after 100 to 200 ms, a heartbeat every 20 ms. */
export const config = (settings: Partial<RaftConfig> = {}): RaftConfig =>
  new RaftConfig({ electionTimeoutMillis: 100, heartbeatIntervalMillis: 20, ...settings })

const encodeText = new TextEncoder()
const decodeText = new TextDecoder()

/** A command that says `text`. */
export const command = (text: string): LogEntry.Draft => ({
  kind: "Command",
  payload: encodeText.encode(text)
})

export const textOf = (payload: Uint8Array): string => decodeText.decode(payload)

/** Entries of these terms, the first of which stands at `firstIndex`; one block for each run of a term. */
export const blocks = (terms: ReadonlyArray<number>, firstIndex = 1): Array<LogEntry.EntryBlock> => {
  const made: Array<LogEntry.EntryBlock> = []
  for (let from = 0, to = 0; from < terms.length; from = to) {
    while (to < terms.length && terms[to] === terms[from]) to++
    const drafts = terms
      .slice(from, to)
      .map((term, offset) => command(`${firstIndex + from + offset}@${term}`))
    made.push(
      LogEntry.encodeBlock(drafts, {
        firstIndex: (firstIndex + from) as LogIndex,
        term: terms[from] as Term,
        timestampMillis: 0
      })
    )
  }
  return made
}

/** A block of one entry that says who belongs to the cluster. */
export const configuration = (place: Place, says: Membership.Membership): LogEntry.EntryBlock =>
  LogEntry.encodeBlock([{ kind: "Configuration", payload: Memberships.toPayload(says) }], {
    firstIndex: place.index as LogIndex,
    term: place.term as Term,
    timestampMillis: 0
  })

/** The terms of some blocks' entries. */
export const termsOf = (of: ReadonlyArray<LogEntry.EntryBlock>): Array<number> =>
  of.flatMap((block) => LogEntry.entries(block).map((entry): number => entry.term))

export const preVote = (options: { readonly term: number; readonly last: Place }): RaftMessage.PreVote => ({
  _tag: "PreVote",
  term: options.term as Term,
  lastLogIndex: options.last.index as LogIndex,
  lastLogTerm: options.last.term as Term
})

export const preVoteReply = (options: {
  readonly term: number
  readonly requestedTerm: number
  readonly granted: boolean
}): RaftMessage.PreVoteReply => ({
  _tag: "PreVoteReply",
  term: options.term as Term,
  requestedTerm: options.requestedTerm as Term,
  granted: options.granted
})

export const requestVote = (options: {
  readonly term: number
  readonly last: Place
  readonly leadershipTransfer?: boolean
}): RaftMessage.RequestVote => ({
  _tag: "RequestVote",
  term: options.term as Term,
  lastLogIndex: options.last.index as LogIndex,
  lastLogTerm: options.last.term as Term,
  leadershipTransfer: options.leadershipTransfer ?? false
})

export const voteReply = (options: {
  readonly term: number
  readonly granted: boolean
}): RaftMessage.RequestVoteReply => ({
  _tag: "RequestVoteReply",
  term: options.term as Term,
  granted: options.granted
})

/** An append of entries of the given terms after `prev`; a heartbeat where there are none. */
export const appendEntries = (options: {
  readonly term: number
  readonly prev: Place
  readonly entries?: ReadonlyArray<number>
  /** Instead of `entries`. */
  readonly blocks?: ReadonlyArray<LogEntry.EntryBlock>
  readonly commit?: number
  readonly round?: number
}): RaftMessage.AppendEntries => ({
  _tag: "AppendEntries",
  term: options.term as Term,
  prevLogIndex: options.prev.index as LogIndex,
  prevLogTerm: options.prev.term as Term,
  blocks: options.blocks ?? blocks(options.entries ?? [], options.prev.index + 1),
  leaderCommit: (options.commit ?? 0) as LogIndex,
  round: options.round ?? 0
})

export const commitNotice = (options: {
  readonly term: number
  readonly commit: number
}): RaftMessage.CommitNotice => ({
  _tag: "CommitNotice",
  term: options.term as Term,
  leaderCommit: options.commit as LogIndex
})

export const accepted = (options: {
  readonly term: number
  readonly match: number
  readonly round?: number
}): RaftMessage.AppendAccepted => ({
  _tag: "AppendAccepted",
  term: options.term as Term,
  matchIndex: options.match as LogIndex,
  round: options.round ?? 0
})

export const rejected = (options: {
  readonly term: number
  readonly prev: number
  readonly conflict: Place
  readonly round?: number
}): RaftMessage.AppendRejected => ({
  _tag: "AppendRejected",
  term: options.term as Term,
  prevLogIndex: options.prev as LogIndex,
  conflictTerm: options.conflict.term as Term,
  conflictIndex: options.conflict.index as LogIndex,
  round: options.round ?? 0
})

export const staleTerm = (term: number): RaftMessage.StaleTerm => ({ _tag: "StaleTerm", term: term as Term })

export const readIndex = (options: {
  readonly term: number
  readonly requestId: number
}): RaftMessage.ReadIndex => ({
  _tag: "ReadIndex",
  term: options.term as Term,
  requestId: options.requestId
})

export const readIndexReply = (options: {
  readonly term: number
  readonly requestId: number
  readonly readIndex: number
}): RaftMessage.ReadIndexReply => ({
  _tag: "ReadIndexReply",
  term: options.term as Term,
  requestId: options.requestId,
  readIndex: options.readIndex as LogIndex
})

/** A piece of a snapshot that ends at `last`: one byte of it, unless said. */
export const installSnapshot = (options: {
  readonly term: number
  readonly last: Place
  readonly sizeBytes?: number
  readonly offset?: number
  readonly bytes?: number
  readonly by?: string
}): RaftMessage.InstallSnapshot => {
  const { sizeBytes = 10, offset = 0 } = options
  return {
    _tag: "InstallSnapshot",
    term: options.term as Term,
    snapshot: snapshot(options.last, { by: options.by ?? "n2" }),
    sizeBytes,
    offset,
    data: new Uint8Array(options.bytes ?? 1)
  }
}

export const installReply = (options: {
  readonly term: number
  readonly snapshotId: string
  readonly offset?: number
  readonly match?: number
}): RaftMessage.InstallSnapshotReply => ({
  _tag: "InstallSnapshotReply",
  term: options.term as Term,
  snapshotId: options.snapshotId,
  offset: options.offset ?? 0,
  matchIndex: (options.match ?? 0) as LogIndex
})
