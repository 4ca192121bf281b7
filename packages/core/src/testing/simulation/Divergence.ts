/**
 * Whether the machine itself keeps its side of the bargain: the same commands in the same order give the
 * same replies on every node. A machine that looks at a clock, at chance, or at anything that is not
 * replicated gives itself away here, at the first index where two nodes disagree.
 */
import type { EntryKind } from "../../LogEntry.ts"
import type { LogIndex } from "../../LogIndex.ts"
import type { NodeId } from "../../NodeId.ts"
import type { RaftTracer } from "../../RaftTrace.ts"
import type { SessionAnswer } from "../../sessions/SessionAnswer.ts"
import type { StateMachine } from "../../StateMachine.ts"
import { Remembered } from "./Remembered.ts"

/** Two nodes applied the same command to what should be the same state, and answered differently. */
export class Diverged extends Error {
  constructor(options: {
    readonly machine: string
    readonly what: string
    readonly index: LogIndex
    readonly one: NodeId
    readonly other: NodeId
    readonly values: readonly [unknown, unknown]
  }) {
    const [first, second] = options.values.map((value) => JSON.stringify(value))
    super(
      `The state machine ${options.machine} diverged at index ${options.index}: ${options.what} is ${first} on ` +
        `${options.one} and ${second} on ${options.other}. apply must depend on nothing but state, command and meta`
    )
    this.name = "Diverged"
  }
}

/** Compares every reply with the first one that was given at its index. */
export const repliesTracer = <Command, Reply, View>(
  machine: StateMachine<Command, Reply, View>,
  onDiverged: (diverged: Diverged) => void
): ((nodeId: NodeId) => RaftTracer) => {
  /** The first at each index, and who gave it. */
  const replies = new Remembered()
  const repliers: Array<NodeId> = []
  /** The machine's own reply, as bytes; `undefined` where the machine was not asked. */
  const bytesOf = (kind: EntryKind, reply: unknown): Uint8Array | undefined => {
    if (kind === "Command") return machine.reply.encode(reply as Reply)
    if (kind !== "Session") return undefined
    const answer = reply as SessionAnswer
    return answer._tag === "Applied" && !answer.isRepeated ? answer.reply : undefined
  }

  return (nodeId) => ({
    onApplied: ({ kind, index }, reply) => {
      const bytes = bytesOf(kind, reply)
      if (bytes === undefined) return
      if (!replies.has(index)) {
        replies.put(index, bytes)
        repliers[index] = nodeId
      } else if (!replies.holds(index, bytes)) {
        const values = [machine.reply.decode(replies.get(index)), machine.reply.decode(bytes)] as const
        onDiverged(
          new Diverged({
            machine: machine.name,
            what: "the reply",
            index,
            one: repliers[index]!,
            other: nodeId,
            values
          })
        )
      }
    }
  })
}
