/**
 * Heartbeats, and the leader's question whether anybody still listens (thesis, section 6.2).
 *
 * A leader that no quorum answers cannot commit anything, and others may have replaced it long ago. It
 * steps down after an election timeout, so that its clients learn of it and go elsewhere.
 */
import * as Membership from "../Membership.ts"
import type { Emit } from "./Action.ts"
import * as Following from "./Following.ts"
import * as LogClock from "./LogClock.ts"
import type { NodeState, Stamp } from "./NodeState.ts"
import * as Quorum from "./Quorum.ts"

/** A heartbeat interval has passed: every peer is due a message, or this node steps down. */
export const onHeartbeatDue = (before: NodeState, stamp: Stamp, emit: Emit): NodeState => {
  const state = withoutPause(before, stamp)
  const { role } = state
  if (role._tag !== "Leader") return state
  const silentMillis = stamp.nowMillis - quorumContactMillis(state, stamp)
  if (state.config.checkQuorum && silentMillis >= state.config.electionTimeoutMillis) {
    return Following.becomeFollower(state, { term: state.currentTerm, leader: null }, stamp, emit)
  }
  const beatTimeMillis = LogClock.nowOf(role, stamp)
  return {
    ...state,
    role: { ...role, beat: role.beat + 1, beatMillis: stamp.nowMillis, beatTimeMillis }
  }
}

/**
 * A process that stood still finds its timers due before it reads the answers that wait: what it did not hear
 * meanwhile does not count against anybody. A pause shows in a heartbeat that comes an election timeout late.
 */
const withoutPause = (state: NodeState, stamp: Stamp): NodeState => {
  const { role, config } = state
  if (role._tag !== "Leader") return state
  const pausedMillis = stamp.nowMillis - role.beatMillis - config.heartbeatIntervalMillis
  if (pausedMillis <= config.electionTimeoutMillis) return state
  const progress = role.progress.map((known) => ({
    ...known,
    contactMillis: Math.min(stamp.nowMillis, known.contactMillis + pausedMillis)
  }))
  const disk = { ...role.disk, sinceMillis: Math.min(stamp.nowMillis, role.disk.sinceMillis + pausedMillis) }
  return { ...state, role: { ...role, progress, disk } }
}

/** When this node last heard who leads; as the leader, a quorum. Minus infinity when it never did. */
export const lastContactMillis = (state: NodeState, nowMillis: number): number =>
  state.role._tag === "Leader" ? quorumContactMillis(state, { nowMillis }) : state.heardLeaderMillis

/** Since when a quorum has been heard by this leader; it always hears itself. */
export const quorumContactMillis = (state: NodeState, stamp: Pick<Stamp, "nowMillis">): number => {
  const { role } = state
  return role._tag !== "Leader"
    ? Number.NEGATIVE_INFINITY
    : Quorum.reachedBy(Membership.votingSets(state.membership), (voter) =>
        voter === state.self
          ? stamp.nowMillis
          : (role.progress.get(voter)?.contactMillis ?? Number.NEGATIVE_INFINITY)
      )
}
