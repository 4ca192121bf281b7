/**
 * Rounds: how a leader makes sure that it still is one (paper, section 8; thesis, section 6.4).
 *
 * Every append carries the newest round's number, every answer echoes it, and while a quorum answers a round
 * nobody else has been elected before it began. With each heartbeat a round begins that goes to everybody. One
 * that begins in between, for reads, goes at once only to as many as a quorum takes, those who were the first to
 * answer: more answers tell a leader nothing, and cost everybody a message. Should one of them be silent, the next
 * heartbeat asks all, and who is quicker then takes its place; should its connection break, all are asked at once.
 */
import * as Membership from "../Membership.ts"
import type { NodeId } from "../NodeId.ts"
import type { Leader, NodeState } from "./NodeState.ts"
import { otherVoters } from "./NodeState.ts"
import * as Quorum from "./Quorum.ts"

/** A new round. `asker` is the one follower for whose reads it is, if it is for no others. */
export const begin = (state: NodeState, role: Leader, asker: NodeId | undefined): Leader => ({
  ...role,
  round: role.round + 1,
  asked: smallestQuorum(state, role.quickest, asker)
})

/** With each heartbeat, which everybody gets. */
export const beginWithHeartbeat = (state: NodeState): NodeState =>
  state.role._tag === "Leader" ? { ...state, role: { ...state.role, round: state.role.round + 1 } } : state

/**
 * The newest round that a quorum has answered. A leader always agrees with itself, and with whoever asks: that
 * one followed it when it sent the question, which was after the read had come to it.
 */
export const answered = (state: NodeState, role: Leader, asker: NodeId | undefined): number =>
  Quorum.reachedBy(Membership.votingSets(state.membership), (voter) =>
    voter === state.self || voter === asker
      ? Number.POSITIVE_INFINITY
      : (role.progress.get(voter)?.ackedRound ?? 0)
  )

/** A peer has answered `round`: with it there may be a quorum, and these are the quickest. */
export const onAnswered = (state: NodeState, round: number): NodeState => {
  const { role } = state
  if (role._tag !== "Leader" || round <= role.answeredRound) return state
  const answeredRound = answered(state, role, undefined)
  if (answeredRound <= role.answeredRound || answeredRound > role.round) return state
  const quickest = otherVoters(state).filter(
    (voter) => (role.progress.get(voter)?.ackedRound ?? 0) >= answeredRound
  )
  return { ...state, role: { ...role, answeredRound, quickest } }
}

/** Who will not answer any more is replaced by all the others. */
export const onPeerLost = (role: Leader, peer: NodeId): Leader => ({
  ...role,
  asked: role.asked?.includes(peer) === true ? everybody : role.asked,
  quickest: role.quickest.filter((quick) => quick !== peer)
})

/** Whether `peer` is asked at once, and not with the next heartbeat. */
export const asksNow = ({ asked }: Leader, peer: NodeId): boolean => asked?.includes(peer) ?? true

const everybody: undefined = undefined

/**
 * As few of `quickest` as are a quorum together with the leader and `asker`; everybody, where they are not enough.
 */
const smallestQuorum = (
  state: NodeState,
  quickest: ReadonlyArray<NodeId>,
  asker: NodeId | undefined
): ReadonlyArray<NodeId> | undefined => {
  const asked: Array<NodeId> = []
  const sets = Membership.votingSets(state.membership)
  const isEnough = () =>
    Quorum.reachedBy(sets, (voter) =>
      voter === state.self || voter === asker || asked.includes(voter) ? 1 : 0
    ) >= 1
  for (const peer of quickest) {
    if (isEnough()) return asked
    if (peer !== asker) asked.push(peer)
  }
  return isEnough() ? asked : everybody
}
