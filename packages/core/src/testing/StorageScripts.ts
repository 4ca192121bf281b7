/**
 * The histories that the storage contract plays: each is a name, which is a claim, and a list of batches.
 * A store passes when it gives back what `StorageModel` says the batches add up to.
 */
import * as LogEntry from "../LogEntry.ts"
import type { EntryBlock } from "../LogEntry.ts"
import type { LogIndex } from "../LogIndex.ts"
import { NodeId } from "../NodeId.ts"
import type { HardState, WriteBatch } from "../RaftStorage.ts"
import type { Term } from "../Term.ts"

/** A claim about stores, and the batches that show it. */
export interface StorageScript {
  readonly name: string
  readonly batches: ReadonlyArray<WriteBatch>
}

/** A payload that tells its index and term, so that a ghost is seen for what it is. */
const payloadOf = (index: number, term: number, bytes: number): Uint8Array =>
  Uint8Array.from({ length: bytes }, (_, at) => (index * 31 + term * 101 + at * 7 + 1) & 0xff)

/** `count` commands of one term, from `firstIndex` on. */
export const block = (firstIndex: number, term: number, count = 1, payloadBytes = 24): EntryBlock =>
  LogEntry.encodeBlock(
    Array.from({ length: count }, (_, position) => ({
      kind: "Command" as const,
      payload: payloadOf(firstIndex + position, term, payloadBytes)
    })),
    {
      firstIndex: firstIndex as LogIndex,
      term: term as Term,
      timestampMillis: 1_700_000_000_000 + firstIndex
    }
  )

/** One block out of several consecutive ones, as a leader sends when it catches a follower up. */
export const joined = (...blocks: ReadonlyArray<EntryBlock>): EntryBlock => {
  const bytes = new Uint8Array(blocks.reduce((total, one) => total + one.bytes.byteLength, 0))
  let at = 0
  for (const one of blocks) {
    bytes.set(one.bytes, at)
    at += one.bytes.byteLength
  }
  const whole = LogEntry.decodeBlock(bytes, blocks[0]!.firstIndex)
  if (whole instanceof LogEntry.MalformedBlock) throw whole
  return whole
}

export const append = (...blocks: ReadonlyArray<EntryBlock>): WriteBatch => ({ blocks })

export const truncate = (from: number, ...blocks: ReadonlyArray<EntryBlock>): WriteBatch => ({
  truncateFrom: from as LogIndex,
  blocks
})

export const vote = (
  term: number,
  votedFor: string | null,
  ...blocks: ReadonlyArray<EntryBlock>
): WriteBatch => ({
  hardState: hardState(term, votedFor),
  blocks
})

/** Lets the log begin after this entry. */
export const beginAfter = (
  index: number,
  term: number,
  ...blocks: ReadonlyArray<EntryBlock>
): WriteBatch & Required<Pick<WriteBatch, "base">> => ({
  base: { index: index as LogIndex, term: term as Term },
  blocks
})

/** The same batch, and up to where the log was known to be committed when it was made. */
export const knowing = (committed: number, batch: WriteBatch): WriteBatch => ({
  ...batch,
  committed: committed as LogIndex
})

export const hardState = (term: number, votedFor: string | null): HardState => ({
  currentTerm: term as Term,
  votedFor: votedFor === null ? null : NodeId.make(votedFor)
})

/** The entries from `from` to `to` of a block. */
export const cut = (from: number, to: number, of: EntryBlock) =>
  LogEntry.slice(of, from as LogIndex, to as LogIndex)

const mixedKinds = LogEntry.encodeBlock(
  [
    { kind: "NoOp", payload: new Uint8Array(0) },
    { kind: "Configuration", payload: new TextEncoder().encode("{}") },
    { kind: "Command", payload: Uint8Array.of(0, 255, 0) }
  ],
  { firstIndex: 1 as LogIndex, term: 1 as Term, timestampMillis: 0.5 }
)

const noOp = LogEntry.encodeBlock([{ kind: "NoOp", payload: new Uint8Array(0) }], {
  firstIndex: 1 as LogIndex,
  term: 1 as Term,
  timestampMillis: 0
})

const zeros = LogEntry.encodeBlock([{ kind: "Command", payload: new Uint8Array(5000) }], {
  firstIndex: 1 as LogIndex,
  term: 1 as Term,
  timestampMillis: 0
})

const hardStates: ReadonlyArray<StorageScript> = [
  { name: "keeps a term without a vote", batches: [vote(1, null)] },
  { name: "keeps a term and a vote", batches: [vote(3, "n2")] },
  { name: "keeps the later of two votes", batches: [vote(1, "n1"), vote(2, "n3")] },
  { name: "forgets the vote of an older term", batches: [vote(4, "n1"), vote(5, null)] },
  { name: "keeps a vote given later in the same term", batches: [vote(4, null), vote(4, "n2")] },
  { name: "keeps the largest term", batches: [vote(Number.MAX_SAFE_INTEGER, "n1")] },
  { name: "keeps the longest and the shortest name", batches: [vote(1, "a"), vote(2, "n".repeat(64))] },
  {
    name: "keeps hard state over later appends",
    batches: [vote(2, "n2"), append(block(1, 2)), append(block(2, 2))]
  },
  {
    name: "keeps the log over later hard states",
    batches: [append(block(1, 1, 3)), vote(2, null), vote(3, "n1")]
  },
  { name: "keeps hard state and entries of one batch", batches: [vote(7, "n1", block(1, 7, 4))] }
]

const appends: ReadonlyArray<StorageScript> = [
  { name: "keeps one entry", batches: [append(block(1, 1))] },
  { name: "keeps an entry without payload", batches: [append(block(1, 1, 1, 0))] },
  { name: "keeps a no-op alone", batches: [append(noOp)] },
  { name: "keeps every kind of entry and its timestamp", batches: [append(mixedKinds)] },
  { name: "keeps a payload of zeros", batches: [append(zeros), append(block(2, 1))] },
  { name: "keeps a block of a thousand entries", batches: [append(block(1, 1, 1000))] },
  {
    name: "keeps payloads of every length from 0 to 70",
    batches: Array.from({ length: 71 }, (_, bytes) => append(block(bytes + 1, 1, 1, bytes)))
  },
  {
    name: "keeps an entry of a mebibyte",
    batches: [append(block(1, 1, 1, 1024 * 1024)), append(block(2, 1))]
  },
  {
    name: "keeps several blocks of one batch",
    batches: [append(block(1, 1, 2), block(3, 1), block(4, 2, 3))]
  },
  {
    name: "keeps a block of several terms",
    batches: [append(joined(block(1, 1, 2), block(3, 4), block(4, 9, 2)))]
  },
  {
    name: "keeps blocks of rising terms",
    batches: [append(block(1, 1)), append(block(2, 5)), append(block(3, 8))]
  },
  { name: "keeps the front of a cut block", batches: [append(cut(1, 3, block(1, 1, 9)))] },
  {
    name: "keeps a cut from the middle of a block",
    batches: [append(block(1, 1)), append(cut(2, 4, block(1, 1, 9)))]
  },
  {
    name: "keeps the rest of a cut block",
    batches: [append(block(1, 1, 4)), append(cut(5, 9, block(1, 1, 9)))]
  },
  { name: "takes an empty batch", batches: [append(), append(block(1, 1)), append()] }
]

const truncations: ReadonlyArray<StorageScript> = [
  { name: "removes the last entry", batches: [append(block(1, 1, 5)), truncate(5)] },
  { name: "removes from the middle of a block", batches: [append(block(1, 1, 5)), truncate(3)] },
  {
    name: "removes from the first entry of a block",
    batches: [append(block(1, 1, 5)), append(block(6, 1, 5)), truncate(6)]
  },
  {
    name: "removes from the last entry of a block",
    batches: [append(block(1, 1, 5)), append(block(6, 1, 5)), truncate(5)]
  },
  {
    name: "removes several blocks",
    batches: [append(block(1, 1), block(2, 1)), append(block(3, 1)), truncate(2)]
  },
  { name: "removes the whole log", batches: [append(block(1, 1, 3)), append(block(4, 2)), truncate(1)] },
  {
    name: "removes nothing past the end",
    batches: [append(block(1, 1, 3)), truncate(4), append(block(4, 1))]
  },
  { name: "removes nothing from an empty log", batches: [truncate(1), append(block(1, 1))] },
  {
    name: "removes inside a block of several terms",
    batches: [append(joined(block(1, 1, 2), block(3, 4, 2))), truncate(4)]
  },
  { name: "removes from a cut block", batches: [append(cut(1, 6, block(1, 1, 9))), truncate(4)] },
  {
    name: "removes and appends in one batch",
    batches: [append(block(1, 1, 5)), truncate(3, block(3, 2, 4))]
  },
  {
    name: "removes all and appends in one batch",
    batches: [append(block(1, 1, 5)), truncate(1, block(1, 2))]
  },
  {
    name: "votes, removes and appends in one batch",
    batches: [append(block(1, 1, 5)), { ...truncate(4, block(4, 3)), ...{ hardState: hardState(3, "n2") } }]
  },
  { name: "removes twice", batches: [append(block(1, 1, 9)), truncate(7), truncate(4), append(block(4, 2))] },
  {
    name: "brings no removed entry back behind a shorter log",
    batches: [append(block(1, 1, 9)), truncate(2, block(2, 2))]
  },
  {
    name: "brings no removed entry back after the log has grown past it",
    batches: [
      append(block(1, 1, 4)),
      truncate(2),
      append(block(2, 2)),
      append(block(3, 2)),
      append(block(4, 2))
    ]
  },
  {
    name: "overwrites one place again and again",
    batches: Array.from({ length: 40 }, (_, round) => truncate(2, block(2, round + 1))).toSpliced(
      0,
      0,
      append(block(1, 1))
    )
  }
]

const commits: ReadonlyArray<StorageScript> = [
  {
    name: "keeps what was committed",
    batches: [append(block(1, 1, 3)), knowing(2, append(block(4, 1))), vote(2, "n1")]
  },
  {
    name: "keeps what was committed with a batch's own entries",
    batches: [knowing(3, append(block(1, 1, 3)))]
  },
  {
    name: "keeps the last that was committed, whatever is said later",
    batches: [knowing(3, append(block(1, 1, 4))), knowing(2, append(block(5, 1))), append(block(6, 1))]
  },
  {
    name: "keeps what was committed over a truncation after it",
    batches: [knowing(2, append(block(1, 1, 5))), truncate(3, block(3, 2)), knowing(3, append(block(4, 2)))]
  },
  {
    name: "keeps what was committed over a leader's snapshot, which stands for it",
    batches: [
      knowing(3, append(block(1, 1, 5))),
      { ...beginAfter(9, 2), truncateFrom: 1 as LogIndex },
      knowing(10, append(block(10, 2, 2)))
    ]
  }
]

/** Histories short enough to be closed and opened again after every batch. */
export const shortScripts: ReadonlyArray<StorageScript> = [
  ...hardStates,
  ...appends,
  ...truncations,
  ...commits
]

/** Histories that are played in one go. */
export const longScripts: ReadonlyArray<StorageScript> = [
  {
    name: "keeps three thousand small batches in order",
    batches: Array.from({ length: 3000 }, (_, position) =>
      append(block(position + 1, 1 + (position >> 9), 1, 16))
    )
  },
  {
    name: "keeps a thousand batches with truncations among them",
    batches: Array.from({ length: 1000 }, (_, round) =>
      truncate(1 + round * 2, block(1 + round * 2, round + 1, 5))
    )
  },
  {
    name: "keeps the last of a thousand terms",
    batches: Array.from({ length: 1000 }, (_, position) =>
      vote(position + 1, position % 3 === 0 ? null : `n${position % 3}`)
    )
  },
  {
    name: "keeps batches of all sizes in order",
    batches: Array.from({ length: 60 }, (_, position) =>
      append(block(position + 1, 1, 1, (position * position * 97) % 200_000))
    )
  }
]
