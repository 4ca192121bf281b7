/**
 * Going on without the others: where a majority of the voters is lost for good, the log of a survivor is
 * made that of a cluster of one.
 *
 * This gives up what Raft promises, knowingly. What stands in this log and was not committed becomes
 * committed; what was committed and does not stand in it is lost; and if a lost member ever came back,
 * there could be two clusters of one name. So it is for an operator who knows that the others are gone,
 * on the survivor whose log reaches furthest, while its node is stopped.
 *
 * What is written is one entry: the new membership, in a term of its own, with a record of what was done.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as LogEntry from "@effect-raft/core/LogEntry"
import * as LogIndex from "@effect-raft/core/LogIndex"
import * as Membership from "@effect-raft/core/Membership"
import * as MembershipRecovery from "@effect-raft/core/MembershipRecovery"
import type { LogStore, RecoveredState, StorageError, StorageIdentity } from "@effect-raft/core/RaftStorage"
import * as Term from "@effect-raft/core/Term"
import * as FileStorage from "./FileStorage.ts"
import * as Inspect from "./Inspect.ts"
import { LogFileSystem } from "./LogFileSystem.ts"

export interface RecoverOptions {
  readonly directory: string
  /** Where the node is reached from now on. Needed where the log does not say; else as before. */
  readonly address?: string
  /**
   * Only say what would be done. The directory is read as a node would, and nothing in it is changed, locked or
   * mended; so it can be done while the node runs, and then tells of that moment.
   */
  readonly dryRun?: boolean
  /** As in {@link FileStorage.FileStorageOptions}. */
  readonly segmentBytes?: number
}

/** What was done, or would be. */
export interface Recovery {
  readonly identity: StorageIdentity
  /** Up to here the log goes that becomes the cluster's. */
  readonly lastIndex: LogIndex.LogIndex
  readonly lastTerm: Term.Term
  /** The membership before; `undefined` where it was never changed, so that the log does not say. */
  readonly former: Membership.Membership | undefined
  readonly membership: Membership.Membership
  /** Where the new membership stands in the log. */
  readonly index: LogIndex.LogIndex
  readonly term: Term.Term
}

/** It cannot be done, or not like this. Nothing was changed. */
export class RecoverRefused extends Schema.TaggedError<RecoverRefused>()("RecoverRefused", {
  location: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `${this.location}: ${this.detail}; nothing was changed`
  }
}

/** Makes the node of this directory the only member. When this has succeeded it is durable. */
export const recover = (
  options: RecoverOptions
): Effect.Effect<Recovery, StorageError | RecoverRefused, LogFileSystem> =>
  Effect.gen(function* () {
    const identity = yield* identityIn(options.directory)
    if (options.dryRun === true) {
      const files = yield* LogFileSystem
      const found = yield* FileStorage.lookInto(files, options.directory, identity)
      return yield* planOf(found, identity, options)
    }
    const store = yield* open(options, identity)
    const plan = yield* planOf(store.recovered, identity, options)
    yield* write(store, plan)
    return plan
  }).pipe(Effect.scoped)

const refused = (location: string, detail: string) => Effect.fail(new RecoverRefused({ location, detail }))

/** Whose directory it is; looked up without a change, for opening a directory makes a store of it. */
const identityIn = Effect.fnUntraced(function* (directory: string) {
  const { identity, verdict } = yield* Inspect.inspect(directory)
  if (identity === null || verdict._tag === "Empty")
    return yield* refused(directory, "there is no node's data to go on with")
  return identity
})

const open = (
  { directory, segmentBytes }: RecoverOptions,
  identity: StorageIdentity
): Effect.Effect<LogStore, StorageError, LogFileSystem | Scope.Scope> =>
  Effect.flatMap(LogFileSystem, (files) =>
    FileStorage.make(files, {
      directory,
      ...(segmentBytes === undefined ? {} : { segmentBytes })
    }).open(identity)
  )

const planOf = Effect.fnUntraced(function* (
  recovered: Omit<RecoveredState, "notes">,
  identity: StorageIdentity,
  { address, directory }: RecoverOptions
) {
  const former = membershipIn(recovered)
  const self = Membership.allMembers(former ?? Membership.none).find(({ id }) => id === identity.nodeId)
  if (former !== undefined && self === undefined) {
    return yield* refused(
      directory,
      `node ${identity.nodeId} is no member any more of the cluster that its log knows; recover one that is`
    )
  }
  const reachedAt = address ?? self?.address
  if (reachedAt === undefined) {
    return yield* refused(directory, "its log does not say where the node is reached; give its address")
  }
  const { blocks, base, hardState } = recovered
  const lastBlock = blocks[blocks.length - 1]
  const lastIndex = lastBlock === undefined ? base.index : LogEntry.lastIndex(lastBlock)
  const plan: Recovery = {
    identity,
    lastIndex,
    lastTerm: lastBlock?.lastTerm ?? base.term,
    former,
    membership: {
      _tag: "Simple",
      voters: [{ id: identity.nodeId, address: reachedAt }],
      learners: []
    },
    index: LogIndex.plus(lastIndex, 1),
    // A term that no leader had, so that the entry is like no other.
    term: Term.Term.make(hardState.currentTerm + 1)
  }
  return plan
})

/** The last membership that the log or the snapshot names. */
const membershipIn = ({
  blocks,
  snapshot
}: Pick<RecoveredState, "blocks" | "snapshot">): Membership.Membership | undefined => {
  const entries = blocks.flatMap(LogEntry.configurationsIn)
  const last = entries[entries.length - 1]
  return last === undefined ? snapshot?.membership : Membership.fromPayload(last.payload)
}

const write = Effect.fnUntraced(function* (store: LogStore, plan: Recovery) {
  const { former, identity, index, membership, term } = plan
  const nowMillis = yield* Clock.currentTimeMillis
  const payload = MembershipRecovery.toPayload(membership, {
    atMillis: nowMillis,
    former: former ?? null,
    by: identity.nodeId
  })
  const block = LogEntry.encodeBlock([{ kind: "Configuration", payload }], {
    firstIndex: index,
    term,
    timestampMillis: Math.max(nowMillis, lastTimestampMillis(store.recovered))
  })
  yield* store.write({ hardState: { currentTerm: term, votedFor: null }, blocks: [block] })
})

/** The time in a log does not go back. */
const lastTimestampMillis = ({ blocks, snapshot }: RecoveredState): number => {
  const last = blocks[blocks.length - 1]
  return last === undefined
    ? (snapshot?.lastTimestampMillis ?? 0)
    : LogEntry.entryAt(last, LogEntry.lastIndex(last)).timestampMillis
}
