/**
 * Bugs around snapshots and compaction: what may be dropped, what a snapshot replaces, and in which order
 * snapshot and log reach the disk.
 */
import * as Aims from "./Aims.ts"
import type { Bug } from "./Bug.ts"

export const snapshotBugs: ReadonlyArray<Bug> = [
  {
    name: "a snapshot drops the newer entries behind it",
    claim: "entries after one with the same index and term are kept (paper, figure 13, step 6)",
    file: "consensus/Snapshotting.ts",
    find: "const isInLog = RaftLog.termAt(state.log, lastIndex) === lastTerm",
    replace: "const isInLog = RaftLog.termAt(state.log, lastIndex) === -1",
    aim: Aims.all(Aims.laggards, Aims.busy)
  },
  {
    name: "a snapshot keeps the entries behind a conflict",
    claim: "a log without the snapshot's last entry is discarded whole (paper, figure 13, step 7)",
    file: "consensus/Snapshotting.ts",
    find: "const isInLog = RaftLog.termAt(state.log, lastIndex) === lastTerm",
    replace: "const isInLog = RaftLog.termAt(state.log, lastIndex) !== undefined",
    aim: Aims.all(Aims.usurped, Aims.lateWords, Aims.compacting)
  },
  {
    name: "an old snapshot replaces a newer log",
    claim: "a snapshot never replaces what is committed (paper, 7)",
    file: "consensus/Snapshotting.ts",
    find: "if (lastIndex <= state.commitIndex) return { ...state, snapshot }",
    replace: "",
    aim: Aims.all(Aims.laggards, Aims.slowDisks, Aims.busy)
  },
  {
    name: "the log is compacted past the snapshot",
    claim: "only what a snapshot on disk covers may go (paper, 7)",
    file: "consensus/Snapshotting.ts",
    find: "const index = Compaction.lastToDrop(known, { former: state.snapshot, snapshot }, stamp)",
    replace: "const index = LogIndex.min(known.log.lastIndex, LogIndex.plus(snapshot.lastIndex, 1))"
  },
  {
    name: "what is not on disk is said to be installed",
    claim: "servers update stable storage before they respond (paper, figure 2)",
    file: "consensus/Snapshotting.ts",
    find: "const matchIndex = LogIndex.min(lastIndex, following.durability.index)",
    replace: "const matchIndex = lastIndex",
    aim: Aims.all(Aims.laggards, Aims.busy, Aims.slowDisks)
  },
  {
    name: "a start takes a log that ends before the snapshot as it is",
    claim: "a log begins after its snapshot or before it (paper, 7)",
    file: "consensus/Snapshotting.ts",
    find: "if (RaftLog.termAt(log, base.index) === base.term) return state",
    replace: "if (RaftLog.termAt(log, base.index) !== base.term) return state"
  },
  {
    name: "a restarted node forgets that its snapshot is committed",
    claim: "what a snapshot covers was committed (paper, 7)",
    file: "consensus/NodeState.ts",
    find: "LogIndex.max(options.snapshot?.lastIndex ?? LogIndex.zero, options.committed)",
    replace: "options.committed",
    aim: Aims.laggards
  },
  {
    name: "the log is compacted before the snapshot is on disk",
    claim: "a snapshot is durable before the log that it replaces goes (docs/ARCHITECTURE.md)",
    file: "internal/Snapshotter.ts",
    find: "yield* writer.commit\n        snapshotBytes",
    replace: "yield* Effect.forkIn(writer.commit, yield* Effect.scope)\n        snapshotBytes"
  },
  {
    name: "a received snapshot is used before it is on disk",
    claim: "a snapshot is durable before the log that it replaces goes (docs/ARCHITECTURE.md)",
    file: "internal/SnapshotReceiver.ts",
    find: "yield* writer.commit\n        yield* close",
    replace: "yield* close"
  },
  {
    name: "a heartbeat below the log's beginning claims that nothing matches",
    claim: "what a snapshot covers is the leader's too (paper, 5.4.3)",
    file: "consensus/LogMatching.ts",
    find: "if (prevLogIndex < state.log.base.index) return undefined",
    replace: "",
    unseen: "it costs a round trip, and nothing else"
  },
  {
    name: "a leader appends after an entry that only its snapshot covers",
    claim: "a leader that has dropped the entry sends its snapshot (paper, 7)",
    file: "consensus/Replication.ts",
    find: "cursor.nextIndex <= state.log.base.index",
    replace: "cursor.nextIndex < state.log.base.index"
  },
  {
    name: "a machine goes on from its old state after a snapshot was installed",
    claim: "the machine is reset from the snapshot (paper, figure 13, step 8)",
    file: "internal/Restorer.ts",
    find: "prepared.restoration.finish()",
    replace: "undefined"
  },
  {
    name: "a snapshot is said to cover one entry more than it does",
    claim: "lastIncludedIndex is the last entry that the snapshot replaces (paper, figure 13)",
    file: "internal/Snapshotter.ts",
    find: "const { log, place } = moment\n",
    replace:
      "const { log } = moment\n        const place = { ...moment.place, index: LogIndex.min(log.lastIndex, LogIndex.plus(moment.place.index, 1)) }\n"
  },
  {
    name: "time in the log begins anew behind a snapshot",
    claim: "the timestamps of entries never decrease (docs/ARCHITECTURE.md)",
    file: "consensus/LogClock.ts",
    find: "state.snapshot?.lastTimestampMillis ?? 0",
    replace: "0",
    aim: Aims.all(Aims.usurped, Aims.compacting, Aims.jumpyClocks)
  },
  {
    name: "a snapshot carries the newest membership, not that of its index",
    claim: "the snapshot includes the latest configuration in the log as of last included index (paper, 7)",
    file: "internal/SnapshotLabel.ts",
    find: "membership: Configurations.at(configurations, index)",
    replace: "membership: Configurations.latest(configurations).membership"
  },
  {
    name: "callers whose entries a snapshot covers are forgotten",
    claim: "every call ends (DESIGN, 2)",
    file: "internal/Applier.ts",
    find: "slots.failUpTo(lastIndex)",
    replace: "",
    unseen: "in virtual time an applier is never so far behind"
  },
  {
    name: "a leader whose disk hangs leads on",
    claim: "a leader whose own disk makes no progress steps down (DESIGN, 2)",
    file: "consensus/HungDisk.ts",
    find: "if (stamp.nowMillis - disk.sinceMillis < state.config.electionTimeoutMillis)",
    replace: "if (stamp.nowMillis - disk.sinceMillis < Number.POSITIVE_INFINITY)",
    unseen: "clients wait for longer, and in the end all is well"
  }
]
