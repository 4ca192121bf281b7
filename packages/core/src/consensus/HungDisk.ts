/**
 * A leader whose own disk hangs could go on for ever with heartbeats, and commit nothing of its own. When its disk has
 * made no progress for an election timeout it makes room, and says who is to lead (thesis, section 3.10): what clients
 * wait for is then an election and not another timeout.
 */
import type { Emit } from "./Action.ts"
import * as Following from "./Following.ts"
import * as LeadershipTransfer from "./LeadershipTransfer.ts"
import type { Leader, Leading, NodeState, Stamp } from "./NodeState.ts"
import { isLeading, otherVoters } from "./NodeState.ts"

/** A heartbeat interval has passed: a leader looks whether its disk has moved. */
export const onHeartbeatDue = (state: NodeState, stamp: Stamp, emit: Emit): NodeState => {
  if (!isLeading(state)) return state
  const disk = progress(state, stamp)
  if (stamp.nowMillis - disk.sinceMillis < state.config.electionTimeoutMillis)
    return { ...state, role: { ...state.role, disk } }
  LeadershipTransfer.appointSuccessor(state, stamp, emit)
  return Following.becomeFollower(state, { term: state.currentTerm, leader: null }, stamp, emit)
}

/** Since when nothing has become durable though something should. */
const progress = (state: Leading, stamp: Stamp): Leader["disk"] => {
  const { durability, role } = state
  const { issued, persisted } = durability
  // Alone in its cluster it has nobody to make room for.
  const isAlone = otherVoters(state).length === 0
  const isMoving = isAlone || persisted === issued || persisted > role.disk.persisted
  return isMoving ? { persisted, sinceMillis: stamp.nowMillis } : role.disk
}
