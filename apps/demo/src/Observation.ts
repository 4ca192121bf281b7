/**
 * Looking at a cluster from outside, as any client can: what its nodes say of themselves, and who leads.
 */
import * as Effect from "effect/Effect"
import type { Member } from "./Cluster.ts"
import { fail } from "./ExitCode.ts"
import * as Store from "./Store.ts"

/** How long an election may take before the cluster is said to have no leader. */
const electionPatienceMillis = 15_000

const pollMillis = 50

/** What the node says that leads and is known to all of `members` as the leader, once there is one. */
export const awaitLeader = (members: ReadonlyArray<Member>) =>
  pollLeader(members).pipe(
    Effect.timeoutOrElse({
      duration: electionPatienceMillis,
      orElse: () => Effect.fail(fail(noLeaderMessage(members)))
    })
  )

const pollLeader = Effect.fnUntraced(function* (members: ReadonlyArray<Member>) {
  while (true) {
    const statuses = yield* Effect.forEach(members, (member) => Store.status(member.plan.url), {
      concurrency: "unbounded"
    })
    const leader = agreedLeader(statuses)
    if (leader !== undefined) return leader
    yield* Effect.sleep(pollMillis)
  }
})

const noLeaderMessage = (members: ReadonlyArray<Member>) =>
  `${members.map(({ plan }) => plan.id).join(", ")} had not agreed on a leader after ${electionPatienceMillis / 1000} s`

const agreedLeader = (
  statuses: ReadonlyArray<Store.NodeStatus | undefined>
): Store.NodeStatus | undefined => {
  const leader = statuses.find((status) => status?.role === "Leader")
  const followed = statuses.every(
    (status) => status?.leader === leader?.node && status?.term === leader?.term
  )
  return leader !== undefined && followed ? leader : undefined
}
