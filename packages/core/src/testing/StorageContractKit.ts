/** What the cases of the storage contract are made of: sessions, comparisons, snapshots whose bytes are known. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as LogIndex from "../LogIndex.ts"
import * as Membership from "../Membership.ts"
import { ClusterId, defaultGroup, NodeId } from "../NodeId.ts"
import type { GroupId } from "../NodeId.ts"
import { RaftStorage } from "../RaftStorage.ts"
import type {
  LogStore,
  SnapshotReader,
  SnapshotWriter,
  StorageError,
  StorageIdentity,
  WriteBatch
} from "../RaftStorage.ts"
import type { SnapshotMeta } from "../Snapshot.ts"
import type { Term } from "../Term.ts"
import * as StorageModel from "./StorageModel.ts"

/** The store did not keep its promise. */
export class ContractViolation extends Schema.TaggedError<ContractViolation>()("ContractViolation", {
  detail: Schema.String
}) {
  override get message() {
    return `Broken storage contract: ${this.detail}`
  }
}

/** One promise. `run` fails, or dies, where it is broken. */
export interface ContractCase<R = never> {
  readonly name: string
  readonly run: Effect.Effect<void, ContractViolation | StorageError, RaftStorage | R>
}

export const identityOf = (
  nodeId: string,
  groupId: GroupId = defaultGroup,
  clusterId = "contract"
): StorageIdentity => ({
  clusterId: ClusterId.make(clusterId),
  groupId,
  nodeId: NodeId.make(nodeId)
})

export const home = identityOf("n1")

export const violated = (detail: string) => Effect.fail(new ContractViolation({ detail }))

/** Opens the store of `identity` for as long as `use` runs. */
export const session = <A, E, R>(
  identity: StorageIdentity,
  use: (store: LogStore) => Effect.Effect<A, E, R | Scope.Scope>
) => Effect.scoped(RaftStorage.use((storage) => Effect.flatMap(storage.open(identity), use)))

export const expectStored = (expected: StorageModel.StorageModel, store: LogStore, when: string) => {
  const problem = StorageModel.difference(expected, StorageModel.ofRecovered(store.recovered))
  return problem === undefined ? Effect.void : violated(`${when}, ${problem}`)
}

export const expectReopened = (expected: StorageModel.StorageModel, identity = home) =>
  session(identity, (store) => expectStored(expected, store, "opened again"))

/** Writes a batch; where the log shall begin later, a snapshot that reaches to there goes before. */
export const writeCovered = (store: LogStore, batch: WriteBatch): Effect.Effect<void, StorageError> =>
  batch.base === undefined
    ? store.write(batch)
    : Effect.andThen(
        takeSnapshot(store, snapshotOf(batch.base.index, { term: batch.base.term })),
        store.write(batch)
      )

export const writeAll = (store: LogStore, batches: ReadonlyArray<WriteBatch>) =>
  Effect.forEach(batches, (batch) => writeCovered(store, batch), { discard: true })

export const sumOf = (batches: ReadonlyArray<WriteBatch>): StorageModel.StorageModel =>
  batches.reduce(StorageModel.after, StorageModel.empty)

export const expectReason = <A, R>(
  effect: Effect.Effect<A, StorageError, R>,
  tag: StorageError["reason"]["_tag"],
  what: string
) =>
  Effect.flatMap(Effect.exit(effect), (exit) => {
    if (Exit.isSuccess(exit)) return violated(`${what} succeeded; ${tag} was due`)
    const error = exit.cause.reasons.find((reason) => reason._tag === "Fail")?.error
    return error?.reason._tag === tag
      ? Effect.void
      : violated(`${what} ended with ${Cause.pretty(exit.cause)}; ${tag} was due`)
  })

export const expectDefect = <A, E, R>(effect: Effect.Effect<A, E, R>, what: string) =>
  Effect.flatMap(Effect.exit(effect), (exit) =>
    Exit.hasDies(exit) ? Effect.void : violated(`${what} was taken; such a mistake must die`)
  )

/** A snapshot as it should be read back. */
export interface Snapshot {
  readonly meta: SnapshotMeta
  readonly bytes: Uint8Array
}

/** Bytes that tell their place, so that a swap or a ghost is seen. */
export const contents = (sizeBytes: number, seed: number): Uint8Array => {
  const bytes = new Uint8Array(sizeBytes)
  for (let at = 0; at < sizeBytes; at++)
    bytes[at] = (at * 7 + (at >> 8) * 13 + (at >> 16) * 29 + seed * 101) & 0xff
  return bytes
}

/** A snapshot that stands for the log up to `lastIndex`. */
export const snapshotOf = (
  lastIndex: number,
  options: { readonly term?: number; readonly id?: string; readonly sizeBytes?: number } = {}
): Snapshot => ({
  meta: {
    id: options.id ?? `at-${lastIndex}`,
    lastIndex: LogIndex.plus(LogIndex.zero, lastIndex),
    lastTerm: (options.term ?? 1) as Term,
    lastTimestampMillis: lastIndex * 10,
    membership: Membership.ofVoters({ n1: "127.0.0.1:7001", n2: "127.0.0.1:7002" })
  },
  bytes: contents(options.sizeBytes ?? 100, lastIndex)
})

const pieces = (bytes: Uint8Array, pieceBytes: number): ReadonlyArray<Uint8Array> =>
  Array.from({ length: Math.ceil(bytes.byteLength / pieceBytes) }, (_, position) =>
    bytes.subarray(position * pieceBytes, (position + 1) * pieceBytes)
  )

/** Writes and commits a snapshot. */
export const takeSnapshot = (store: LogStore, { bytes, meta }: Snapshot, pieceBytes = 10_000) =>
  Effect.scoped(
    Effect.flatMap(store.snapshots.writer({ meta, purpose: "Take" }), (writer) =>
      Effect.andThen(writePieces(writer, bytes, { pieceBytes }), writer.commit)
    )
  )

/** Writes the bytes from where the writer stands, up to `until`. */
export const writePieces = (
  writer: SnapshotWriter,
  bytes: Uint8Array,
  {
    pieceBytes = 10_000,
    until = bytes.byteLength
  }: { readonly pieceBytes?: number; readonly until?: number } = {}
) =>
  Effect.forEach(pieces(bytes.subarray(writer.offset(), until), pieceBytes), writer.write, { discard: true })

const maxReadBytes = 50_000

/** Reads the whole snapshot piece by piece, and compares. */
export const expectContents = Effect.fnUntraced(function* (
  reader: SnapshotReader,
  bytes: Uint8Array,
  readBytes: number = maxReadBytes
) {
  if (reader.sizeBytes !== bytes.byteLength)
    return yield* violated(`the snapshot has ${reader.sizeBytes} bytes, not ${bytes.byteLength}`)
  for (let at = 0; at <= bytes.byteLength; at += readBytes) {
    yield* expectBytes(yield* reader.read(at, readBytes), bytes.subarray(at, at + readBytes), at)
  }
  return undefined
})

export const expectBytes = (found: Uint8Array, expected: Uint8Array, at: number) => {
  if (found.byteLength !== expected.byteLength)
    return violated(`${found.byteLength} bytes were read at byte ${at}, not ${expected.byteLength}`)
  const wrong = found.findIndex((byte, position) => byte !== expected[position])
  return wrong === -1 ? Effect.void : violated(`byte ${at + wrong} of the snapshot is wrong`)
}

/** The newest snapshot is this one; with `undefined`, there is none. */
export const expectNewest = Effect.fnUntraced(function* (store: LogStore, expected: Snapshot | undefined) {
  const reader = yield* store.snapshots.reader
  if (reader === undefined || expected === undefined) {
    if (reader === undefined && expected === undefined) return undefined
    return yield* violated(`the newest snapshot is ${reader?.meta.id}, not ${expected?.meta.id}`)
  }
  yield* expectMeta(reader.meta, expected.meta)
  return yield* expectContents(reader, expected.bytes)
})

const expectMeta = (found: SnapshotMeta | undefined, expected: SnapshotMeta | undefined) =>
  Equal.equals(found, expected)
    ? Effect.void
    : violated(`the snapshot is ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`)

/** Opened again, the store has this snapshot and says so. */
export const expectReopenedWith = (expected: Snapshot | undefined, identity = home) =>
  session(identity, (store) =>
    Effect.andThen(expectMeta(store.recovered.snapshot, expected?.meta), expectNewest(store, expected))
  )
