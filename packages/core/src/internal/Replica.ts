/**
 * What a node replicates: the machine, with the version that the whole group runs, and beside it the clients'
 * sessions, which decide whether a command that came through a session reaches the machine.
 */
import type { LogEntry } from "../LogEntry.ts"
import type { LogIndex } from "../LogIndex.ts"
import * as MachineVersion from "../MachineVersion.ts"
import { ProgramTooOld } from "../RaftError.ts"
import type { SnapshotMeta } from "../Snapshot.ts"
import * as SessionRecord from "../sessions/SessionRecord.ts"
import type { SessionAnswer } from "../sessions/SessionAnswer.ts"
import { SessionTable } from "../sessions/SessionTable.ts"
import type { Restoration, StateMachine } from "../StateMachine.ts"

/** A snapshot of one moment, which later entries do not change. */
export interface ReplicaSnapshot {
  /** As in `SnapshotMeta`: how many of the bytes are the sessions'. */
  readonly sessionBytes: number
  readonly machineVersion: number
  readonly pieces: Iterable<Uint8Array>
}

/** One copy. All functions are synchronous; what one throws it would throw on every node. */
export interface Replica<View> {
  /**
   * Applies the next entry. Gives the machine's reply to a command, a `SessionAnswer` to an entry of a
   * session, and `undefined` to all others.
   */
  readonly apply: (entry: LogEntry) => unknown
  readonly view: () => View
  /** The machine's version in force. */
  readonly version: () => number
  readonly snapshot: () => ReplicaSnapshot
  /** Begins to replace everything by what a snapshot holds; its pieces may be cut anywhere. */
  readonly restore: (meta: SnapshotMeta) => Restoration
}

export const make = <Command, Reply, View>(machine: StateMachine<Command, Reply, View>): Replica<View> => {
  const instance = machine.make()
  const sessions = new SessionTable()
  const supported = machine.version ?? 0
  let version = 0

  const upgrade = (index: LogIndex, to: number): void => {
    if (to <= version) return
    if (to > supported) throw new ProgramTooOld({ index, version: to, supported })
    instance.upgrade?.(version, to)
    version = to
  }

  const applyCommand = ({ index, term, timestampMillis }: LogEntry, command: Uint8Array): Reply =>
    instance.apply(machine.command.decode(command), {
      index,
      term,
      timestampMillis,
      machineVersion: version
    })

  const applyRecord = (entry: LogEntry): SessionAnswer =>
    sessions.apply(SessionRecord.decode(entry.payload), entry, (command) =>
      machine.reply.encode(applyCommand(entry, command))
    )

  return {
    apply: (entry) => {
      if (entry.kind === "NoOp") return sessions.beginTerm(entry.timestampMillis)
      sessions.passTime(entry.timestampMillis)
      switch (entry.kind) {
        case "Command":
          return applyCommand(entry, entry.payload)
        case "Session":
          return applyRecord(entry)
        case "Upgrade":
          return upgrade(entry.index, MachineVersion.fromPayload(entry.payload))
        case "Configuration":
          return undefined
      }
    },
    view: instance.view,
    version: () => version,
    snapshot: () => {
      const section = sessions.toSection()
      const pieces = instance.snapshot()
      return section === undefined
        ? { sessionBytes: 0, machineVersion: version, pieces }
        : {
            sessionBytes: section.byteLength,
            machineVersion: version,
            pieces: inFront(section, pieces)
          }
    },
    restore: ({ lastIndex, machineVersion: to = 0, sessionBytes = 0 }) => {
      if (to > supported) throw new ProgramTooOld({ index: lastIndex, version: to, supported })
      const section = new Uint8Array(sessionBytes)
      let sectionFill = 0
      const restoration = instance.restore(to)
      return {
        add: (piece) => {
          const taken = Math.min(sessionBytes - sectionFill, piece.byteLength)
          section.set(piece.subarray(0, taken), sectionFill)
          sectionFill += taken
          if (taken < piece.byteLength) restoration.add(piece.subarray(taken))
        },
        finish: () => {
          if (sectionFill < sessionBytes)
            throw new RangeError(
              `the snapshot has ${sectionFill} bytes, of which ${sessionBytes} are its sessions'`
            )
          sessions.restore(sessionBytes === 0 ? undefined : section)
          restoration.finish()
          version = to
        }
      }
    }
  }
}

const inFront = (section: Uint8Array, pieces: Iterable<Uint8Array>): Iterable<Uint8Array> => ({
  *[Symbol.iterator]() {
    yield section
    yield* pieces
  }
})
