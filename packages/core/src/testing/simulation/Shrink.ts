/**
 * Cutting a failing plan down to the little that still fails.
 *
 * One step after the other is tried, each taking something away: halves of the faults, then single ones,
 * then clients, time, trouble on the links, drift, nodes. A step is kept when the smaller plan still
 * fails in the same property. The number of tries is bounded; the result is the smallest plan found, not
 * the smallest there is.
 */
import type { Plan } from "./Plan.ts"

/** Runs tried at most. */
const maxTries = 150

/** `stillFails` runs a plan and tells whether it fails as the first one did. */
export const shrink = (plan: Plan, stillFails: (plan: Plan) => boolean): Plan => {
  let tries = 0
  const fails = (candidate: Plan): boolean => tries++ < maxTries && stillFails(candidate)
  let smallest = withFewerFaults(plan, fails)
  for (const simplify of simplifications) {
    let candidate = simplify(smallest)
    while (candidate !== undefined && fails(candidate)) {
      smallest = candidate
      candidate = simplify(smallest)
    }
  }
  return withFewerFaults(smallest, fails)
}

/** Takes faults away in chunks that become smaller (delta debugging). */
const withFewerFaults = (plan: Plan, fails: (plan: Plan) => boolean): Plan => {
  let smallest = plan
  for (let size = Math.ceil(plan.faults.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < smallest.faults.length;) {
      const faults = smallest.faults.filter((_, i) => i < at || i >= at + size)
      const candidate = { ...smallest, faults }
      if (fails(candidate)) smallest = candidate
      else at += size
    }
  }
  return smallest
}

/** Each gives a simpler plan, or `undefined` when there is nothing left to simplify. */
const simplifications: ReadonlyArray<(plan: Plan) => Plan | undefined> = [
  (plan) =>
    plan.durationMillis > 1_000
      ? { ...plan, durationMillis: Math.floor(plan.durationMillis / 2) }
      : undefined,
  (plan) => (plan.clients > 1 ? { ...plan, clients: plan.clients - 1 } : undefined),
  (plan) =>
    plan.operationsPerSecond > 2
      ? { ...plan, operationsPerSecond: Math.floor(plan.operationsPerSecond / 2) }
      : undefined,
  (plan) => (plan.sessions === null ? undefined : { ...plan, sessions: null }),
  (plan) => (plan.interleave ? { ...plan, interleave: false } : undefined),
  (plan) => withNetwork(plan, plan.network.loss > 0, { loss: 0 }),
  (plan) => withNetwork(plan, plan.network.duplication > 0, { duplication: 0 }),
  (plan) => withNetwork(plan, plan.network.heldRequests > 0, { heldRequests: 0 }),
  (plan) => withNetwork(plan, plan.network.heldReplies > 0, { heldReplies: 0 }),
  (plan) => withNetwork(plan, plan.network.delayMillis[1] > 0, { delayMillis: [0, 0] }),
  (plan) =>
    plan.driftPerMille.some((drift) => drift !== 0)
      ? { ...plan, driftPerMille: plan.driftPerMille.map(() => 0) }
      : undefined,
  (plan) =>
    plan.diskMillis.some((millis) => millis > 0)
      ? { ...plan, diskMillis: plan.diskMillis.map(() => 0) }
      : undefined,
  (plan) => (plan.notifyLost ? { ...plan, notifyLost: false } : undefined)
]

const withNetwork = (plan: Plan, applies: boolean, simpler: Partial<Plan["network"]>): Plan | undefined =>
  applies ? { ...plan, network: { ...plan.network, ...simpler } } : undefined
