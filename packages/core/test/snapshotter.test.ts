/**
 * When a node takes a snapshot of its own: with a small state soon, with a larger one when the log has become
 * longer than the state is worth, and never later than it may.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as RaftLog from "../src/consensus/RaftLog.ts"
import * as Snapshotter from "../src/internal/Snapshotter.ts"
import * as LogEntry from "../src/LogEntry.ts"
import * as LogIndex from "../src/LogIndex.ts"
import type { SnapshotStore } from "../src/RaftStorage.ts"
import * as Build from "./rules/Build.ts"
import { index, term } from "./rules/Harness.ts"

const config = Build.config({ snapshotEveryBytes: 10_000, snapshotAtLeastBytes: 1000 })

/** A log of 400 entries of 100 bytes each. */
const entryBytes = 100
const drafts = Array.from({ length: 400 }, (): LogEntry.Draft => ({
  kind: "Command",
  payload: new Uint8Array(entryBytes - LogEntry.entryHeaderBytes)
}))
const log = RaftLog.fromBlocks([
  LogEntry.encodeBlock(drafts, { term: term(1), firstIndex: index(1), timestampMillis: 0 })
])

const store: SnapshotStore = {
  writer: () => Effect.succeed({ offset: () => 0, write: () => Effect.void, commit: Effect.void }),
  reader: Effect.undefined
}

/** Applies entry after entry to a state of `stateBytes`; gives the bytes of log before each snapshot. */
const run = (options: {
  readonly stateBytes: ReadonlyArray<number>
  readonly restoredBytes?: number
}): Effect.Effect<ReadonlyArray<number>> =>
  Effect.gen(function* () {
    const taken: Array<number> = []
    const snapshotter = yield* Snapshotter.make({
      config,
      store,
      lastIndex: LogIndex.zero,
      describe: ({ index }) => Build.snapshot({ index, term: 1 }),
      onTaken: ({ snapshot }) => void taken.push(snapshot.lastIndex)
    })
    if (options.restoredBytes !== undefined) snapshotter.restored(options.restoredBytes)
    yield* Effect.forkScoped(snapshotter.run)
    for (let applied = 1; applied <= 400 && taken.length < options.stateBytes.length; applied++) {
      const bytes = options.stateBytes[taken.length] ?? 0
      snapshotter.consider({
        log,
        place: { index: index(applied), term: term(1), timestampMillis: 0 },
        snapshot: () => ({ sessionBytes: 0, machineVersion: 0, pieces: [new Uint8Array(bytes)] })
      })
      // What was begun is written before the next entry.
      for (let i = 0; i < 10; i++) yield* Effect.yieldNow
    }
    return taken.map((last, at) => (last - (taken[at - 1] ?? 0)) * entryBytes)
  }).pipe(Effect.scoped)

it.effect("a small state is written when the log is as long as it must be", () =>
  Effect.map(run({ stateBytes: [10, 10, 10] }), (gaps) => assert.deepStrictEqual(gaps, [1000, 1000, 1000]))
)

it.effect(
  "a larger one when the log is six times as long as its last snapshot, and not much longer than it must",
  () =>
    Effect.map(run({ stateBytes: [800, 1200, 2000, 10, 10] }), (gaps) =>
      assert.deepStrictEqual(gaps, [1000, 4800, 7200, 8000, 1000])
    )
)

it.effect("a large one when the log is twice as long, and at the latest when it must", () =>
  Effect.map(run({ stateBytes: [4500, 100_000, 10, 10] }), (gaps) =>
    assert.deepStrictEqual(gaps, [1000, 9000, 10_000, 1000])
  )
)

it.effect("the size of a snapshot from which the state was restored counts", () =>
  Effect.map(run({ stateBytes: [10, 10], restoredBytes: 1500 }), (gaps) =>
    assert.deepStrictEqual(gaps, [8000, 1000])
  )
)
