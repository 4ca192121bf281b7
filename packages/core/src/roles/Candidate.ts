/**
 * The fibers of a node that stands for election: one for each voter, which asks until it is answered
 * (paper, section 5.2: "retries in parallel"). They end when the role does, whatever they wait for.
 */
import * as Effect from "effect/Effect"
import * as Election from "../consensus/Election.ts"
import { otherVoters } from "../consensus/NodeState.ts"
import type { NodeId } from "../NodeId.ts"
import type { RoleContext } from "./Role.ts"

/** Asks every other voter, each in a fiber of its own. */
export const askVoters = (node: RoleContext): Effect.Effect<void> =>
  Effect.forEach(otherVoters(node.state()), (voter) => ask(node, voter), {
    concurrency: "unbounded",
    discard: true
  })

/** The request was made under the term of the state it is read from; the answer is checked against it. */
const ask = (node: RoleContext, voter: NodeId): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { heartbeatIntervalMillis } = node.state().config
    let pauseMillis = heartbeatIntervalMillis / 5
    while (true) {
      const request = Election.requestFor(node.state(), voter)
      if (request === undefined) return
      node.send(voter, request)
      yield* Effect.sleep(pauseMillis)
      pauseMillis = Math.min(pauseMillis * 2, heartbeatIntervalMillis)
    }
  })
