/**
 * What operators do to a simulated cluster, drawn apart from all else in its plan: in some runs nodes come
 * and go and leaders are asked to hand over, in some clients read by lease.
 */
import type { MembershipChange } from "../../MembershipChange.ts"
import { NodeId } from "../../NodeId.ts"
import { Dice, hashText } from "../LinkFaults.ts"
import type { Fault, Plan, ScheduledFault } from "./Plan.ts"

/** The plan, with operators at work in it. */
export const join = (plan: Plan): Plan => {
  const dice = new Dice()
  dice.reset(hashText(`${plan.seed}/operators`), 0)
  const leases =
    plan.config.checkQuorum && dice.happens(0.5) ? { leaseReads: true, maxClockDriftPercent: drift } : {}
  const isBusy = dice.happens(0.4)
  const spares = isBusy ? dice.within([0, 3]) : 0
  const lag = isBusy ? { maxPromotionLagBytes: pick(dice, [0, 100, 1_000_000]) } : {}
  const orders = isBusy ? drawOrders(dice, namesOf(plan.size + spares), plan.durationMillis) : []
  const faults = [...plan.faults, ...orders].sort((one, other) => one.atMillis - other.atMillis)
  return { ...plan, spares, config: { ...plan.config, ...leases, ...lag }, faults }
}

/** The clocks of a plan run from 2 % slow to 10 % fast: that is 10.9 % between two of them. */
const drift = 12

const namesOf = (count: number): ReadonlyArray<NodeId> =>
  Array.from({ length: count }, (_, position) => NodeId.make(`n${position + 1}`))

const drawOrders = (
  dice: Dice,
  nodes: ReadonlyArray<NodeId>,
  durationMillis: number
): Array<ScheduledFault> => {
  const everyMillis = pick(dice, [100, 400, 1_500])
  const orders: Array<ScheduledFault> = []
  for (let at = dice.within([200, 1_500]); at < durationMillis; at += dice.within([1, 2 * everyMillis])) {
    orders.push({ atMillis: at, forMillis: 0, fault: drawOrder(dice, nodes) })
  }
  return orders
}

const drawOrder = (dice: Dice, nodes: ReadonlyArray<NodeId>): Fault =>
  dice.happens(0.2)
    ? { _tag: "Transfer", to: dice.happens(0.5) ? pick(dice, nodes) : null }
    : { _tag: "ChangeMembership", change: drawChange(dice, nodes) }

const drawChange = (dice: Dice, nodes: ReadonlyArray<NodeId>): MembershipChange => {
  const nodeId = pick(dice, nodes)
  const address = `memory:${nodeId}`
  return pick<MembershipChange>(dice, [
    { _tag: "AddLearner", nodeId, address },
    { _tag: "AddLearner", nodeId, address, autoPromote: true },
    { _tag: "Promote", nodeId },
    { _tag: "Demote", nodeId },
    { _tag: "Remove", nodeId },
    { _tag: "ReplaceVoters", voters: nodes.filter(() => dice.happens(0.6)) },
    { _tag: "Move", nodeId, address: `${address}/elsewhere` }
  ])
}

const pick = <A>(dice: Dice, list: ReadonlyArray<A>): A => list[dice.within([0, list.length - 1])]!
