/**
 * The first election in the life of a node.
 *
 * Who hears nothing waits for an election timeout, because a leader may be there all the same (paper, section
 * 5.2). But who has just started and is connected with a majority hears its leader within a heartbeat interval,
 * if there is one. So it waits that long and asks: a pre-vote disturbs nobody, and is refused by everybody who
 * hears a leader (thesis, sections 9.6 and 4.2.3). A cluster that was started as a whole has its leader a
 * heartbeat interval after a majority of it is there; a node that comes back alone has heard its leader by then.
 * Who is a majority by itself, and was before, stands at once.
 *
 * Where there are no pre-votes, or nobody protects a leader, it waits as ever. With leases it may have promised
 * something in its last life, and waits, too. And it is done once: who has heard a leader, voted or stood in
 * this life takes its turns and timeouts like all others.
 */
import * as Membership from "../Membership.ts"
import type { NodeId } from "../NodeId.ts"
import * as Configurations from "./Configurations.ts"
import * as Election from "./Election.ts"
import * as ElectionTurn from "./ElectionTurn.ts"
import * as Lease from "./Lease.ts"
import type { NodeState, Stamp } from "./NodeState.ts"
import * as Quorum from "./Quorum.ts"

/**
 * The node starts. By a configuration that is committed, and has no voter but this one, nobody else can lead. While it
 * is not committed, a leader may be there that makes room for this node (thesis, section 4.2.2). And where nothing is
 * committed the store is new, or was lost; then the others of a cluster that has grown have their time to be heard.
 */
export const atStart = (state: NodeState, stamp: Stamp): NodeState =>
  isQuorum(state, new Set([state.self])) &&
  state.commitIndex > 0 &&
  state.commitIndex >= Configurations.latest(state.configurations).index &&
  !Lease.isPromised(state, stamp)
    ? standsBy(state, stamp.nowMillis)
    : state

/**
 * There are connections with `peers` now. Those who find each other do so at the same moment, so they stand one
 * after the other, as if they had lost a leader.
 */
export const onPeersFound = (state: NodeState, peers: ReadonlyArray<NodeId>, stamp: Stamp): NodeState => {
  const found = new Set([state.self, ...peers])
  return isNew(state) && mayAsk(state, stamp) && isQuorum(state, found)
    ? standsBy(
        state,
        stamp.nowMillis + state.config.heartbeatIntervalMillis + ElectionTurn.delayAmong(state, found)
      )
    : state
}

/** Stands then at the latest. */
const standsBy = (state: NodeState, millis: number): NodeState => {
  const { role } = state
  return role._tag === "Follower" && millis < role.electionDeadlineMillis
    ? { ...state, role: { ...role, electionDeadlineMillis: millis } }
    : state
}

/** Whether it has heard no leader, given no vote and stood for nothing in this life. */
const isNew = ({ durability, heardLeaderMillis }: NodeState): boolean =>
  heardLeaderMillis === Number.NEGATIVE_INFINITY && durability.hardState === 0

const mayAsk = (state: NodeState, stamp: Stamp): boolean =>
  state.config.preVote &&
  state.config.checkQuorum &&
  !Lease.isPromised(state, stamp) &&
  Election.mayStand(state)

const isQuorum = ({ membership }: NodeState, found: ReadonlySet<NodeId>): boolean =>
  Quorum.reachedBy(Membership.votingSets(membership), (voter) => (found.has(voter) ? 1 : 0)) === 1
