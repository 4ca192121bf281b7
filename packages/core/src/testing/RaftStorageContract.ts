/**
 * What every `RaftStorage` promises, as a list of named effects that any test runner can run.
 *
 * A case passes when its effect succeeds. Each needs a new and empty store:
 *
 * ```ts
 * for (const { name, run } of RaftStorageContract.cases({ homes: "Many" })) {
 *   it.effect(name, () => Effect.provide(run, Layer.fresh(MyStorage.layer)))
 * }
 * ```
 */
import * as Effect from "effect/Effect"
import { defaultGroup, GroupId } from "../NodeId.ts"
import type { StorageIdentity, WriteBatch } from "../RaftStorage.ts"
import * as LogBaseScripts from "./LogBaseScripts.ts"
import * as SnapshotContract from "./SnapshotContract.ts"
import * as SnapshotWriterContract from "./SnapshotWriterContract.ts"
import {
  expectDefect,
  expectReason,
  expectReopened,
  expectStored,
  home,
  identityOf,
  session,
  sumOf,
  writeAll,
  writeCovered
} from "./StorageContractKit.ts"
import type { ContractCase } from "./StorageContractKit.ts"
import * as StorageModel from "./StorageModel.ts"
import { append, block, knowing, longScripts, shortScripts, truncate, vote } from "./StorageScripts.ts"
import type { StorageScript } from "./StorageScripts.ts"

export { ContractViolation } from "./StorageContractKit.ts"
export type { ContractCase } from "./StorageContractKit.ts"

export interface ContractOptions<R = never> {
  /** "Many": the service has a store for every identity. "One": it is the home of the first that comes. */
  readonly homes: "Many" | "One"
  /** Takes the power from the machine and gives it back: all that was not durable is gone. */
  readonly losePower?: (identity: StorageIdentity) => Effect.Effect<void, never, R>
}

/** Every case that applies to the store. */
export const cases = <R = never>(options: ContractOptions<R>): ReadonlyArray<ContractCase<R>> => [
  ...[...shortScripts, ...LogBaseScripts.shortScripts].map((script) => ({
    name: script.name,
    run: playReopening(script)
  })),
  ...[...longScripts, ...LogBaseScripts.longScripts].map((script) => ({
    name: script.name,
    run: playThrough(script)
  })),
  ...sessionCases,
  ...SnapshotContract.cases,
  ...SnapshotWriterContract.cases,
  ...(options.homes === "Many" ? [...manyHomesCases, ...SnapshotContract.manyHomesCases] : oneHomeCases),
  ...(options.losePower === undefined
    ? []
    : [...powerCases(options.losePower), ...SnapshotWriterContract.powerCases(options.losePower)])
]

const playThrough = ({ batches }: StorageScript) =>
  Effect.andThen(
    session(home, (store) => writeAll(store, batches)),
    expectReopened(sumOf(batches))
  )

/** Closes and opens the store after every batch, and writes each on what was read back. */
const playReopening = ({ batches }: StorageScript) =>
  Effect.gen(function* () {
    let expected = StorageModel.empty
    for (const batch of batches) {
      yield* session(home, (store) =>
        Effect.andThen(expectStored(expected, store, "reopened"), writeCovered(store, batch))
      )
      expected = StorageModel.after(expected, batch)
    }
    yield* expectReopened(expected)
  })

const expectRefused = (misfit: WriteBatch, what: string) =>
  Effect.gen(function* () {
    const written = [knowing(2, append(block(1, 1, 3)))]
    yield* session(home, (store) =>
      Effect.andThen(writeAll(store, written), expectDefect(store.write(misfit), what))
    )
    yield* expectReopened(sumOf(written))
  })

const sessionCases: ReadonlyArray<ContractCase> = [
  { name: "is empty when new: term 0, no vote, no entry", run: expectReopened(StorageModel.empty) },
  {
    name: "is still empty after it was opened and closed",
    run: Effect.andThen(expectReopened(StorageModel.empty), expectReopened(StorageModel.empty))
  },
  {
    name: "reads the same however often it is opened",
    run: Effect.gen(function* () {
      const batches = [vote(2, "n3", block(1, 1, 3)), truncate(3, block(3, 2))]
      yield* session(home, (store) => writeAll(store, batches))
      for (let round = 0; round < 5; round++) yield* expectReopened(sumOf(batches))
    })
  },
  {
    name: "does not change what it recovered while it writes",
    run: session(home, (store) =>
      Effect.andThen(
        store.write(append(block(1, 1, 3))),
        expectStored(StorageModel.empty, store, "after a write")
      )
    )
  },
  {
    name: "is locked while it is open",
    run: session(home, () =>
      expectReason(
        session(home, () => Effect.void),
        "StoreLocked",
        "a second open"
      )
    )
  },
  {
    name: "does not lose its lock when a second open was refused",
    run: session(home, (store) =>
      Effect.gen(function* () {
        const second = session(home, () => Effect.void)
        yield* expectReason(second, "StoreLocked", "a second open")
        yield* store.write(append(block(1, 1)))
        yield* expectReason(second, "StoreLocked", "a third open")
      })
    )
  },
  {
    name: "refuses writes after it was closed",
    run: Effect.gen(function* () {
      const closed = yield* session(home, Effect.succeed)
      yield* expectReason(closed.write(append(block(1, 1))), "IoFailed", "a write to a closed store")
      yield* expectReopened(StorageModel.empty)
    })
  },
  { name: "takes no batch that leaves a gap", run: expectRefused(append(block(5, 1)), "a gap") },
  { name: "takes no batch that overlaps", run: expectRefused(append(block(3, 2)), "an overlap") },
  { name: "takes no gap within a batch", run: expectRefused(append(block(4, 1), block(6, 1)), "a gap") },
  {
    name: "takes no falling terms within a batch",
    run: expectRefused(append(block(4, 3), block(5, 2)), "a fall")
  },
  { name: "takes no gap after a truncation", run: expectRefused(truncate(2, block(4, 2)), "a gap") },
  {
    name: "takes no batch that removes what is committed",
    run: expectRefused(truncate(2, block(2, 2)), "a loss of what is committed")
  },
  {
    name: "takes no batch that speaks of more than the log has",
    run: expectRefused(knowing(5, append(block(4, 1))), "a commit after the end of the log")
  }
]

const manyHomesCases: ReadonlyArray<ContractCase> = [
  {
    name: "keeps the nodes, groups and clusters apart",
    run: Effect.gen(function* () {
      const identities = [
        home,
        identityOf("n2"),
        identityOf("n1", GroupId.make("other")),
        identityOf("n1", defaultGroup, "another")
      ]
      const batchesOf = (position: number) => [
        vote(position + 1, `n${position}`, block(1, position + 1, position + 2))
      ]
      for (const [position, identity] of identities.entries()) {
        yield* session(identity, (store) => writeAll(store, batchesOf(position)))
      }
      for (const [position, identity] of identities.entries()) {
        yield* expectReopened(sumOf(batchesOf(position)), identity)
      }
    })
  },
  {
    name: "opens the stores of two nodes at the same time",
    run: session(home, (first) =>
      session(identityOf("n2"), (second) =>
        Effect.gen(function* () {
          yield* first.write(append(block(1, 1)))
          yield* second.write(append(block(1, 2, 2)))
          yield* first.write(append(block(2, 1)))
        })
      )
    ).pipe(
      Effect.andThen(expectReopened(sumOf([append(block(1, 1, 1), block(2, 1))]))),
      Effect.andThen(expectReopened(sumOf([append(block(1, 2, 2))]), identityOf("n2")))
    )
  }
]

const foreign = (what: string, identity: StorageIdentity): ContractCase => ({
  name: `refuses another ${what} and changes nothing`,
  run: Effect.gen(function* () {
    const batches = [vote(1, "n1", block(1, 1, 3))]
    yield* session(home, (store) => writeAll(store, batches))
    yield* expectReason(
      session(identity, () => Effect.void),
      "ForeignStore",
      `opening as another ${what}`
    )
    yield* expectReopened(sumOf(batches))
  })
})

const oneHomeCases: ReadonlyArray<ContractCase> = [
  foreign("node", identityOf("n2")),
  foreign("group", identityOf("n1", GroupId.make("other"))),
  foreign("cluster", identityOf("n1", defaultGroup, "another"))
]

const powerCases = <R>(
  losePower: (identity: StorageIdentity) => Effect.Effect<void, never, R>
): ReadonlyArray<ContractCase<R>> => [
  {
    name: "keeps every acknowledged batch when the power fails",
    run: Effect.gen(function* () {
      const batches = [
        vote(1, "n1"),
        append(block(1, 1, 3)),
        truncate(2, block(2, 2)),
        append(block(3, 2, 2))
      ]
      for (let written = 0; written <= batches.length; written++) {
        const before = sumOf(batches.slice(0, Math.max(0, written - 1)))
        yield* session(home, (store) =>
          Effect.gen(function* () {
            yield* expectStored(before, store, "after a power failure")
            yield* writeAll(store, batches.slice(Math.max(0, written - 1), written))
            yield* losePower(home)
          })
        )
        yield* expectReopened(sumOf(batches.slice(0, written)))
      }
    })
  },
  {
    name: "writes nothing from before a power failure",
    run: Effect.gen(function* () {
      const stale = yield* session(home, (store) => Effect.as(losePower(home), store))
      yield* expectReason(
        stale.write(append(block(1, 1))),
        "IoFailed",
        "a write of the time before the failure"
      )
      yield* expectReopened(StorageModel.empty)
    })
  }
]
