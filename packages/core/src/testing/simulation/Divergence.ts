/**
 * Whether the machine itself keeps its side of the bargain: the same commands in the same order give the
 * same replies on every node. A machine that looks at a clock, at chance, or at anything that is not
 * replicated gives itself away here, at the first index where two nodes disagree.
 */
import type { LogIndex } from "../../LogIndex.ts"
import type { NodeId } from "../../NodeId.ts"
import type { RaftTracer } from "../../RaftTrace.ts"
import type { StateMachine } from "../../StateMachine.ts"

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
  const replies = new Map<
    LogIndex,
    { readonly nodeId: NodeId; readonly reply: unknown; readonly bytes: Uint8Array }
  >()
  return (nodeId) => ({
    onApplied: ({ kind, index }, reply) => {
      if (kind !== "Command") return
      const bytes = machine.reply.encode(reply as Reply)
      const known = replies.get(index)
      if (known === undefined) {
        replies.set(index, { nodeId, reply, bytes })
      } else if (!sameBytes(known.bytes, bytes)) {
        const values = [known.reply, reply] as const
        onDiverged(
          new Diverged({
            machine: machine.name,
            what: "the reply",
            index,
            one: known.nodeId,
            other: nodeId,
            values
          })
        )
      }
    }
  })
}

export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.byteLength === b.byteLength && a.every((byte, at) => byte === b[at])
