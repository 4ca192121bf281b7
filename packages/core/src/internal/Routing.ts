/**
 * Finding the leader for a call: here, elsewhere, or, for a while, nowhere.
 *
 * A call that surely did not happen is tried again, at whoever leads by then, until the request timeout.
 * A call that may have happened is never tried again: that would be twice.
 */
import * as Effect from "effect/Effect"
import * as NodeState from "../consensus/NodeState.ts"
import type { NodeId } from "../NodeId.ts"
import { NoLeader } from "../RaftError.ts"
import type { NotLeader, RaftErrorReason } from "../RaftError.ts"
import type { RunningNode } from "./RunningNode.ts"

/**
 * Runs `attempt` at the leader. `attempt` fails with `NotLeader` where it should be tried again. The call has the
 * request timeout from `beganMillis` on, which is now unless it was tried before.
 */
export const atLeader = <View, A>(
  node: RunningNode<View>,
  attempt: (leader: NodeId) => Effect.Effect<A, RaftErrorReason>,
  beganMillis?: number
): Effect.Effect<A, RaftErrorReason> =>
  Effect.suspend(() => {
    const { heartbeatIntervalMillis, requestTimeoutMillis } = node.state().config
    const deadlineMillis = (beganMillis ?? node.nowMillis()) + requestTimeoutMillis

    const tryNow: Effect.Effect<A, RaftErrorReason> = Effect.suspend(() => {
      const reason = node.stopped()
      if (reason !== undefined) return Effect.fail(reason)
      const leader = NodeState.leaderOf(node.state())
      return leader === null
        ? tryLater(leader)
        : Effect.catchIf(attempt(leader), isNotLeader, () => tryLater(leader))
    })

    /** `tried` was no leader: waits until there is another one, or for a while. */
    const tryLater = (tried: NodeId | null): Effect.Effect<A, RaftErrorReason> => {
      // Timers count whole milliseconds; what is left of a rounding error would be waited for again and again.
      const leftMillis = Math.ceil(deadlineMillis - node.nowMillis())
      if (leftMillis <= 0) return Effect.fail(new NoLeader({ waitedMillis: requestTimeoutMillis }))
      const leader = NodeState.leaderOf(node.state())
      if (leader !== null && leader !== tried) return tryNow
      // A leader that says it is none will be replaced, or has been: ask again before long.
      const pauseMillis = leader === null ? leftMillis : Math.min(leftMillis, heartbeatIntervalMillis)
      return Effect.andThen(Effect.timeoutOption(node.watchers.next, pauseMillis), tryNow)
    }

    return tryNow
  })

const isNotLeader = (reason: RaftErrorReason): reason is NotLeader => reason._tag === "NotLeader"
