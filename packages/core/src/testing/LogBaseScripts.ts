/**
 * The histories of logs that begin after a snapshot, for the storage contract. Who plays them takes a
 * snapshot that reaches far enough before each batch that moves the beginning.
 */
import type { LogIndex } from "../LogIndex.ts"
import { append, beginAfter, block, cut, hardState, joined, truncate, vote } from "./StorageScripts.ts"
import type { StorageScript } from "./StorageScripts.ts"

/** Histories short enough to be closed and opened again after every batch. */
export const shortScripts: ReadonlyArray<StorageScript> = [
  {
    name: "begins after the end of a block",
    batches: [append(block(1, 1, 5)), append(block(6, 1, 5)), beginAfter(5, 1)]
  },
  {
    name: "begins inside a block",
    batches: [append(block(1, 1, 9)), beginAfter(4, 1), append(block(10, 1))]
  },
  {
    name: "begins inside a block of several terms",
    batches: [append(joined(block(1, 1, 2), block(3, 4, 4), block(7, 9))), beginAfter(4, 4)]
  },
  {
    name: "begins inside a block that was cut before",
    batches: [append(cut(1, 6, block(1, 1, 9))), truncate(6), beginAfter(2, 1)]
  },
  {
    name: "begins after its last entry",
    batches: [append(block(1, 1, 5)), beginAfter(5, 1), append(block(6, 2))]
  },
  {
    name: "begins after an index that it never had",
    batches: [append(block(1, 1, 5)), beginAfter(90, 3), append(block(91, 3, 2))]
  },
  { name: "begins later although it was empty", batches: [beginAfter(7, 2), append(block(8, 2))] },
  {
    name: "begins twice in one block",
    batches: [append(block(1, 1, 9)), beginAfter(3, 1), beginAfter(6, 1), append(block(10, 1))]
  },
  {
    name: "begins at the same place again",
    batches: [append(block(1, 1, 9)), beginAfter(3, 1), beginAfter(3, 1), append(block(10, 1))]
  },
  {
    name: "begins no earlier than it was told once",
    batches: [append(block(1, 1, 9)), beginAfter(6, 1), beginAfter(3, 1), append(block(10, 1))]
  },
  {
    name: "begins later and grows in one batch",
    batches: [append(block(1, 1, 5)), beginAfter(3, 1, block(6, 2, 2), block(8, 2))]
  },
  {
    name: "begins later, with a gap, and grows in one batch",
    batches: [append(block(1, 1, 5)), beginAfter(40, 3, block(41, 3, 2))]
  },
  {
    name: "loses its end, begins later and grows in one batch",
    batches: [append(block(1, 1, 9)), { ...beginAfter(4, 1, block(7, 2, 2)), truncateFrom: 7 as LogIndex }]
  },
  {
    name: "loses all of its own, begins later and grows in one batch",
    batches: [append(block(1, 1, 9)), { ...beginAfter(6, 2, block(7, 2, 2)), truncateFrom: 2 as LogIndex }]
  },
  {
    name: "votes, loses its end, begins later and grows in one batch",
    batches: [
      vote(1, "n1", block(1, 1, 9)),
      {
        ...beginAfter(4, 1, block(8, 3)),
        truncateFrom: 8 as LogIndex,
        hardState: hardState(3, "n2")
      }
    ]
  },
  {
    name: "loses its end after it began later",
    batches: [
      append(block(1, 1, 9)),
      beginAfter(4, 1),
      truncate(7, block(7, 2)),
      truncate(5),
      append(block(5, 3))
    ]
  },
  {
    name: "keeps term and vote when it begins later",
    batches: [vote(3, "n2", block(1, 3, 4)), beginAfter(4, 3), append(block(5, 3))]
  },
  {
    name: "keeps the largest index as its beginning",
    batches: [beginAfter(Number.MAX_SAFE_INTEGER - 5, 9), append(block(Number.MAX_SAFE_INTEGER - 4, 9))]
  },
  {
    name: "brings nothing back from before its beginning",
    batches: [
      append(block(1, 1, 9)),
      truncate(4, block(4, 2)),
      beginAfter(3, 1),
      append(block(5, 2, 3)),
      beginAfter(6, 2),
      truncate(7, block(7, 5))
    ]
  }
]

/** Histories that are played in one go. */
export const longScripts: ReadonlyArray<StorageScript> = [
  {
    name: "begins later again and again while it grows",
    batches: Array.from({ length: 1200 }, (_, position) =>
      position % 100 === 99
        ? beginAfter(position - 40, 1)
        : append(block(position + 1 - Math.floor(position / 100), 1, 1, 200))
    )
  },
  {
    name: "begins later again and again while its end is overwritten",
    batches: Array.from({ length: 600 }, (_, round) =>
      round % 50 === 49
        ? beginAfter(round * 2 - 40, round - 20)
        : truncate(1 + round * 2, block(1 + round * 2, round + 1, 5, 100))
    )
  }
]
