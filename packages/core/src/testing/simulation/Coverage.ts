/**
 * Which dangerous states a run has met. A run that met none of them proves nothing, and says so.
 */
import type { Action } from "../../consensus/Action.ts"
import type { NodeState } from "../../consensus/NodeState.ts"
import * as RaftLog from "../../consensus/RaftLog.ts"
import type { NodeId } from "../../NodeId.ts"
import type { RaftTracer } from "../../RaftTrace.ts"
import type { DiskEvent } from "../FaultyDisk.ts"

/** How often each was met. */
export interface Counters extends Record<DiskEvent, number> {
  elections: number
  /** Terms in which somebody won. */
  leaders: number
  /** Leaders that stepped down. */
  depositions: number
  /** Entries that were removed from a follower's log. */
  truncations: number
  /** Appends that were refused because logs did not match. */
  conflicts: number
  /** Starts of a node with something on its disk. */
  recoveries: number
  committed: number
  /** Reads that a quorum round confirmed. */
  reads: number
  refusedReads: number
  /** Commands of which the client does not know whether they happened. */
  unknownOutcomes: number
  /** Snapshots that a node took of its own machine. */
  snapshotsTaken: number
  /** Snapshots of a leader that took the place of a follower's log. */
  snapshotsInstalled: number
  /** Reads that a lease was enough for. */
  leaseReads: number
  /** Memberships that leaders committed, joint ones that came to their end, and times a leader began to hand over. */
  membershipChanges: number
  jointChanges: number
  transfers: number
  /** Writes that were still under way when a vote or an acknowledgement had to wait for them. */
  heldBack: number
  sessionsOpened: number
  /** Commands and signs of life that came to a session after its time. */
  sessionsExpired: number
  /** Tries of a session's command after the first. */
  retries: number
  /** Commands that were in the log again, and were not applied again. */
  repeatsSuppressed: number
  /** Commands that came after their client had given them up, and were not applied. */
  lateCopies: number
}

export const zero = (): Counters => ({
  elections: 0,
  leaders: 0,
  depositions: 0,
  truncations: 0,
  conflicts: 0,
  recoveries: 0,
  committed: 0,
  reads: 0,
  refusedReads: 0,
  unknownOutcomes: 0,
  snapshotsTaken: 0,
  snapshotsInstalled: 0,
  heldBack: 0,
  leaseReads: 0,
  membershipChanges: 0,
  jointChanges: 0,
  transfers: 0,
  sessionsOpened: 0,
  sessionsExpired: 0,
  retries: 0,
  repeatsSuppressed: 0,
  lateCopies: 0,
  tornWrites: 0,
  failedFlushes: 0,
  failedWrites: 0,
  segmentsRolled: 0,
  segmentsRemoved: 0,
  segmentsReused: 0,
  tailsCut: 0
})

/** Adds one run's counters to a sum. */
export const add = (sum: Counters, run: Counters): Counters => {
  const total = zero()
  for (const key of Object.keys(total) as Array<keyof Counters>) total[key] = sum[key] + run[key]
  return total
}

/** Counts what a node shows. */
export const tracerOf =
  (counters: Counters) =>
  (_nodeId: NodeId): RaftTracer => ({
    onStart: (state) => {
      if (state.currentTerm > 0) counters.recoveries += 1
    },
    onTurn: ({ events, before, after, actions }) => {
      const role = after.role._tag
      if (before.role._tag !== role || before.currentTerm !== after.currentTerm) {
        if (role === "Candidate") counters.elections += 1
        if (role === "Leader") counters.leaders += 1
        if (before.role._tag === "Leader" && role !== "Leader") counters.depositions += 1
      }
      if (role === "Leader" && before.membership._tag === "Joint" && after.membership._tag === "Simple")
        counters.jointChanges += 1
      for (const event of events) if (event._tag === "SnapshotTaken") counters.snapshotsTaken += 1
      if (after.role._tag === "Leader") counters.committed += after.commitIndex - before.commitIndex
      for (const action of actions) count(counters, action, before)
    }
  })

const count = (counters: Counters, action: Action, { log }: NodeState): void => {
  switch (action._tag) {
    case "Persist":
      if (action.truncateFrom !== undefined && RaftLog.termAt(log, action.truncateFrom) !== undefined)
        counters.truncations += 1
      return
    case "RestoreMachine":
      counters.snapshotsInstalled += 1
      return
    case "SendNow":
    case "SendWhenDurable":
      if (action._tag === "SendWhenDurable") counters.heldBack += 1
      if (action.message._tag === "AppendRejected") counters.conflicts += 1
      return
    case "ReadsConfirmed":
      counters.reads += action.readIds.length
      if (action.byLease === true) counters.leaseReads += action.readIds.length
      return
    case "ReadsRefused":
      counters.refusedReads += action.readIds.length
      return
    case "MembershipSettled":
      counters.membershipChanges += 1
      return
    case "TransferBegun":
      counters.transfers += 1
      return
    default:
      return
  }
}
