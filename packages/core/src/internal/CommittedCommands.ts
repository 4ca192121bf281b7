/**
 * The commands that are committed, read back from the log of a node as it applies them: the labs' `applyCh`.
 *
 * Who reads holds no place in the log. Where it has begun later in the meantime, the stream fails with
 * `Compacted`, which says from where on it can be asked for again.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as RaftLog from "../consensus/RaftLog.ts"
import * as LogEntry from "../LogEntry.ts"
import * as LogIndex from "../LogIndex.ts"
import { because, Compacted } from "../RaftError.ts"
import type { RaftError } from "../RaftError.ts"
import type { RunningNode } from "./RunningNode.ts"
import type { SessionId } from "../SessionId.ts"
import * as SessionRecord from "../sessions/SessionRecord.ts"
import type { Position } from "./ReplySlots.ts"

/** One committed command, as the stream delivers it. */
export interface Committed<Command> extends Position {
  readonly command: Command
  readonly timestampMillis: number
  /**
   * Where it came through a session. The log may then hold it more than once, by the same number, and the
   * machine has applied at most the first of them.
   */
  readonly session?: SessionId & { readonly sequence: number }
}

/** Entries that one pull of `committed` gives at most. */
const pullSize = 512

/** The commands from an index on, in order; ends only with the node, or where the log no longer reaches. */
export const from = <Command>(
  node: Pick<RunningNode<unknown>, "appliedBeyond" | "appliedIndex" | "state">,
  decodeCommand: (payload: Uint8Array) => Command,
  first: LogIndex.LogIndex
): Stream.Stream<Committed<Command>, RaftError> =>
  Stream.unfold(LogIndex.max(first, LogIndex.plus(LogIndex.zero, 1)), (next) =>
    Effect.gen(function* () {
      yield* node.appliedBeyond(LogIndex.plus(next, -1))
      // As it is now: memory of what has gone from an older one is used again.
      const { log } = node.state()
      if (next <= log.base.index) {
        const firstHeld = LogIndex.plus(log.base.index, 1)
        return yield* because(new Compacted({ requested: next, firstHeld }))
      }
      const last = LogIndex.min(node.appliedIndex(), LogIndex.plus(next, pullSize - 1))
      const commands: Array<Committed<Command>> = []
      for (const block of RaftLog.blocksBetween(log, next, last)) {
        for (const entry of LogEntry.entries(block)) {
          const command = commandOf(entry, decodeCommand)
          if (command !== undefined) commands.push(command)
        }
      }
      return [commands, LogIndex.plus(last, 1)] as const
    })
  ).pipe(Stream.flattenIterable)

/** The command of an entry, which may be kept; `undefined` for an entry that has none. */
const commandOf = <Command>(
  { index, kind, payload, term, timestampMillis }: LogEntry.LogEntry,
  decodeCommand: (payload: Uint8Array) => Command
): Committed<Command> | undefined => {
  if (kind === "Command")
    return { index, term, timestampMillis, command: decodeCommand(new Uint8Array(payload)) }
  const record = kind === "Session" ? SessionRecord.decode(payload) : undefined
  if (record?._tag !== "Command") return undefined
  const session = { ...record.session, sequence: record.sequence }
  return { index, term, timestampMillis, command: decodeCommand(new Uint8Array(record.command)), session }
}
