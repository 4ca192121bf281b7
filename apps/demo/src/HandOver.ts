/**
 * What a node's process does first when it is told to stop: it hands over, while its clients are still connected, so that
 * they go on at the next leader as soon as there is one.
 */
import type { Raft } from "@effect-raft/core/Raft"
import * as Effect from "effect/Effect"

/**
 * Ends within an election timeout in any case. Where nobody is left to take over, as when the whole cluster is stopped
 * at once, this node soon leads no more and knows of no successor: it would wait for one until its request timeout.
 */
export const handOver = (
  raft: Pick<Raft<never, never, never>, "transferLeadership">,
  electionTimeoutMillis: number
): Effect.Effect<void> =>
  Effect.ignore(Effect.timeoutOption(raft.transferLeadership(), electionTimeoutMillis))
