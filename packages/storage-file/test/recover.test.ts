/** A survivor's log made that of a cluster of one: what is written, what is refused, what is left as it was. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as LogEntry from "@effect-raft/core/LogEntry"
import { LogIndex } from "@effect-raft/core/LogIndex"
import * as Membership from "@effect-raft/core/Membership"
import * as MembershipRecovery from "@effect-raft/core/MembershipRecovery"
import type { WriteBatch } from "@effect-raft/core/RaftStorage"
import { append, block, vote } from "@effect-raft/core/testing/StorageScripts"
import { Term } from "@effect-raft/core/Term"
import * as Inspect from "@effect-raft/storage-file/Inspect"
import { LogFileSystem } from "@effect-raft/storage-file/LogFileSystem"
import * as MemoryLogFileSystem from "@effect-raft/storage-file/MemoryLogFileSystem"
import * as Recover from "@effect-raft/storage-file/Recover"
import { directory, identity, segmentBytes, withStore, writeAll } from "./support.ts"

const former = Membership.ofVoters({ n1: "127.0.0.1:7001", n2: "127.0.0.1:7002", n3: "127.0.0.1:7003" })

const configuration = (index: number, term: number, membership: Membership.Membership): WriteBatch =>
  append(
    LogEntry.encodeBlock([{ kind: "Configuration", payload: Membership.toPayload(membership) }], {
      firstIndex: LogIndex.make(index),
      term: Term.make(term),
      timestampMillis: 5000
    })
  )

/** A survivor: five entries, the last of them a membership, and a vote in a later term. */
const survivor = (membership = former) => {
  const files = MemoryLogFileSystem.make()
  const batches = [append(block(1, 1, 4)), configuration(5, 3, membership), vote(7, "n2")]
  return Effect.as(
    withStore(files.layer, (store) => writeAll(store, batches)),
    files
  )
}

const recover = (
  files: MemoryLogFileSystem.MemoryLogFileSystem,
  options: Partial<Recover.RecoverOptions> = {}
) => Effect.provide(Recover.recover({ directory, segmentBytes, ...options }), files.layer)

const logOf = (files: MemoryLogFileSystem.MemoryLogFileSystem) =>
  Effect.map(Effect.provide(Inspect.inspect(directory), files.layer), ({ log }) => log)

/** Every file, as it is seen now. */
const everythingIn = (files: MemoryLogFileSystem.MemoryLogFileSystem) =>
  files
    .namesOf(directory)
    .toSorted()
    .map((name) => [name, files.bytesOf(directory, name).slice()])

const placesOf = ({ index, lastIndex, lastTerm, term }: Recover.Recovery) => ({
  lastIndex: Number(lastIndex),
  lastTerm: Number(lastTerm),
  index: Number(index),
  term: Number(term)
})

describe("a recovered store", () => {
  it.effect("has the old log, and then the node alone as its membership, in a term of its own", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(9000)
      const files = yield* survivor()
      const recovery = yield* recover(files)
      assert.deepStrictEqual(recovery.former, former)
      assert.deepStrictEqual(placesOf(recovery), { lastIndex: 5, lastTerm: 3, index: 6, term: 8 })
      yield* withStore(files.layer, ({ recovered: { blocks, hardState } }) =>
        Effect.sync(() => {
          assert.deepStrictEqual(hardState, { currentTerm: Term.make(8), votedFor: null })
          const entries = blocks.flatMap(LogEntry.entries)
          assert.strictEqual(entries.length, 6)
          const last = entries[5]!
          const { index, kind, term, timestampMillis } = last
          assert.deepStrictEqual(
            [Number(index), Number(term), kind, timestampMillis],
            [6, 8, "Configuration", 9000]
          )
          assert.deepStrictEqual(
            Membership.fromPayload(last.payload),
            Membership.ofVoters({ n1: "127.0.0.1:7001" })
          )
          assert.deepStrictEqual(MembershipRecovery.inPayload(last.payload), {
            atMillis: 9000,
            former,
            by: identity.nodeId
          })
          assert.isUndefined(MembershipRecovery.inPayload(entries[4]!.payload))
        })
      )
    })
  )

  it.effect("never says an earlier time than the log did", () =>
    Effect.gen(function* () {
      const files = yield* survivor()
      yield* recover(files)
      yield* withStore(files.layer, ({ recovered: { blocks } }) =>
        Effect.sync(() => {
          const entries = blocks.flatMap(LogEntry.entries)
          assert.strictEqual(entries[5]!.timestampMillis, 5000)
        })
      )
    })
  )

  it.effect("can be recovered again, and keeps both records", () =>
    Effect.gen(function* () {
      const files = yield* survivor()
      yield* recover(files)
      const again = yield* recover(files, { address: "127.0.0.1:8001" })
      assert.deepStrictEqual(again.former, Membership.ofVoters({ n1: "127.0.0.1:7001" }))
      assert.deepStrictEqual(placesOf(again), { lastIndex: 6, lastTerm: 8, index: 7, term: 9 })
      assert.strictEqual(again.membership.voters[0]?.address, "127.0.0.1:8001")
    })
  )
})

describe("a dry run", () => {
  it.effect("says the same and writes no entry", () =>
    Effect.gen(function* () {
      const files = yield* survivor()
      const before = yield* logOf(files)
      const told = yield* recover(files, { dryRun: true })
      assert.deepStrictEqual(yield* logOf(files), before)
      assert.deepStrictEqual(yield* recover(files), told)
      assert.notDeepEqual(yield* logOf(files), before)
    })
  )

  it.effect("changes no byte, also where a write was cut short, and tells of the log without it", () =>
    Effect.gen(function* () {
      const files = yield* survivor()
      // The power fails in the middle of one more write.
      const more = append(block(6, 7, 1, 600))
      yield* Effect.exit(
        withStore(files.layer, (store) =>
          Effect.suspend(() => {
            files.powerOffAfter(0)
            return store.write(more)
          })
        )
      )
      files.restart({ bytes: { firstBytes: 300 }, names: "Kept" })
      const { verdict } = yield* Effect.provide(Inspect.inspect(directory), files.layer)
      assert.strictEqual(verdict._tag, "TornTail")
      const before = everythingIn(files)
      const told = yield* recover(files, { dryRun: true })
      assert.deepStrictEqual(everythingIn(files), before)
      assert.deepStrictEqual(placesOf(told), { lastIndex: 5, lastTerm: 3, index: 6, term: 8 })
      assert.deepStrictEqual(yield* recover(files), told)
    })
  )

  it.effect("can be had of a node that runs", () =>
    Effect.gen(function* () {
      const files = yield* survivor()
      const told = yield* withStore(files.layer, () => recover(files, { dryRun: true }))
      assert.strictEqual(told.lastIndex, 5)
    })
  )
})

describe("recovery is refused", () => {
  const refusal = (
    files: MemoryLogFileSystem.MemoryLogFileSystem,
    options?: Partial<Recover.RecoverOptions>
  ) => Effect.map(Effect.flip(recover(files, options)), ({ message }) => message)

  it.effect("while the node runs", () =>
    Effect.gen(function* () {
      const files = yield* survivor()
      const message = yield* withStore(files.layer, () => refusal(files))
      assert.match(message, /\/store is in use by .*; stop that node first/)
      assert.strictEqual((yield* logOf(files))?.lastIndex, 5)
    })
  )

  it.effect("where there is no node's data", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      assert.match(yield* refusal(files), /no such file or directory/)
      yield* Effect.provide(
        LogFileSystem.use((system) => system.openDirectory(directory)),
        files.layer
      )
      assert.match(yield* refusal(files), /there is no node's data/)
      assert.isNull(yield* logOf(files))
    })
  )

  it.effect("for a node that had left the cluster", () =>
    Effect.gen(function* () {
      const files = yield* survivor(Membership.ofVoters({ n2: "127.0.0.1:7002" }))
      assert.match(yield* refusal(files, { address: "127.0.0.1:1" }), /n1 is no member any more/)
    })
  )

  it.effect("without an address where the log does not say one", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      yield* withStore(files.layer, (store) => store.write(append(block(1, 1, 4))))
      assert.match(yield* refusal(files), /does not say where the node is reached; give its address/)
      const recovery = yield* recover(files, { address: "127.0.0.1:7001" })
      assert.isUndefined(recovery.former)
      assert.strictEqual(recovery.index, 5)
    })
  )
})
