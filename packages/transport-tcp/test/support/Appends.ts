/** Messages with entries of a log that has memory of its own. */
import * as LogEntry from "@effect-raft/core/LogEntry"
import { LogIndex } from "@effect-raft/core/LogIndex"
import type { RaftMessage } from "@effect-raft/core/RaftMessage"
import { Term } from "@effect-raft/core/Term"

/** A message with one block, and the memory in which that lies. */
export const append = (payloadBytes: number) => {
  const memory = new ArrayBuffer(24 + payloadBytes)
  const block = LogEntry.encodeBlock([{ kind: "Command", payload: new Uint8Array(payloadBytes).fill(7) }], {
    firstIndex: LogIndex.make(1),
    term: Term.make(1),
    timestampMillis: 0,
    take: () => new Uint8Array(memory)
  })
  const message: RaftMessage = {
    _tag: "AppendEntries",
    term: Term.make(1),
    prevLogIndex: LogIndex.make(0),
    prevLogTerm: Term.make(0),
    blocks: [block],
    leaderCommit: LogIndex.make(0),
    round: 1
  }
  return { message, memory }
}
