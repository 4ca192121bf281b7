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

/**
 * How long it first waits for an answer, as parts of a heartbeat interval. Votes are lost only where messages are. A
 * pre-vote is also refused by a peer that has not noticed yet that the leader is gone, as it soon will.
 */
const firstPauseParts = { PreCandidate: 20, Candidate: 5 }

/** The request was made under the term of the state it is read from; the answer is checked against it. */
const ask = (node: RoleContext, voter: NodeId): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { config, role } = node.state()
    const { heartbeatIntervalMillis } = config
    let pauseMillis =
      heartbeatIntervalMillis / firstPauseParts[role._tag === "PreCandidate" ? "PreCandidate" : "Candidate"]
    while (true) {
      const request = Election.requestFor(node.state(), voter)
      if (request === undefined) return
      node.send(voter, request)
      yield* Effect.sleep(pauseMillis)
      pauseMillis = Math.min(pauseMillis * 2, heartbeatIntervalMillis)
    }
  })
