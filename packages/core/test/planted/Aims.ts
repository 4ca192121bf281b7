/**
 * Ways to aim a plan at bugs that are rare: more of the trouble in which they show. What an aim adds is drawn
 * from the plan's own seed, so that seeds stay different from each other.
 */
import type { MembershipChange } from "../../src/MembershipChange.ts"
import { NodeId } from "../../src/NodeId.ts"
import { Dice, hashText } from "../../src/testing/LinkFaults.ts"
import { oneOf } from "../../src/testing/simulation/Plan.ts"
import type { Fault, Plan, ScheduledFault, Victim } from "../../src/testing/simulation/Plan.ts"

export type Aim = (drawn: Plan) => Plan

/** One aim after the other. */
export const all =
  (...aims: ReadonlyArray<Aim>): Aim =>
  (drawn) =>
    aims.reduce((plan, aim) => aim(plan), drawn)

const diceOf = (plan: Plan, aim: string): Dice => {
  const dice = new Dice()
  dice.reset(hashText(`${plan.seed}/${aim}`), 0)
  return dice
}

const faultsOf = (
  plan: Plan,
  dice: Dice,
  options: { readonly everyMillis: number; readonly longestMillis: number },
  draw: () => Fault
): ReadonlyArray<ScheduledFault> => {
  const faults: Array<ScheduledFault> = []
  for (let at = 500; at < plan.durationMillis; at += dice.within([1, 2 * options.everyMillis])) {
    faults.push({ atMillis: at, forMillis: dice.within([1, options.longestMillis]), fault: draw() })
  }
  return faults
}

/** Three nodes or five, and one leader after the other is cut off, killed or stopped, and comes back. */
export const usurped: Aim = (plan) => {
  const dice = diceOf(plan, "usurped")
  const node: Victim = "leader"
  const kinds: ReadonlyArray<Fault> = [
    { _tag: "Isolate", node },
    { _tag: "Isolate", node },
    { _tag: "Pause", node },
    { _tag: "Crash", node, keepsUnsynced: true },
    { _tag: "OneWay", from: node, to: NodeId.make("n1") }
  ]
  return {
    ...plan,
    size: oneOf(dice, [3, 3, 5]),
    faults: faultsOf(plan, dice, { everyMillis: 300, longestMillis: 1_500 }, () => oneOf(dice, kinds))
  }
}

/** Leaders that nobody hears do not notice it by themselves, while others take their place. */
export const unnoticed: Aim = (plan) => {
  const dice = diceOf(plan, "unnoticed")
  const node: Victim = "leader"
  return {
    ...plan,
    size: oneOf(dice, [3, 5]),
    // A lease needs a leader who looks around.
    config: { ...plan.config, checkQuorum: false, leaseReads: false },
    network: { ...plan.network, delayMillis: [0, 10], loss: 0 },
    faults: faultsOf(plan, dice, { everyMillis: 700, longestMillis: 3_000 }, () => ({
      _tag: "Isolate",
      node
    }))
  }
}

/** Leaders stand still for longer than an election, and read what was said to them meanwhile when they go on. */
export const frozen: Aim = (plan) => {
  const dice = diceOf(plan, "frozen")
  const node: Victim = "leader"
  return {
    ...plan,
    size: 3,
    config: { ...plan.config, leaseReads: false },
    network: { ...plan.network, delayMillis: [0, 10], loss: 0 },
    faults: faultsOf(plan, dice, { everyMillis: 500, longestMillis: 2_000 }, () => ({ _tag: "Pause", node }))
  }
}

/**
 * Voters and learners come and go by the dozen, leaders are asked to hand over, and one after the other is
 * cut off or killed in the middle of it.
 */
export const reconfigured: Aim = (plan) => {
  const dice = diceOf(plan, "reconfigured")
  const size = oneOf(dice, [2, 3, 3, 4])
  const spares = 3
  const nodes = Array.from({ length: size + spares }, (_, position) => NodeId.make(`n${position + 1}`))
  const orders = faultsOf(plan, dice, { everyMillis: 20, longestMillis: 1 }, () => drawOrder(dice, nodes))
  const breaks = faultsOf(plan, dice, { everyMillis: 250, longestMillis: 500 }, () =>
    oneOf<Fault>(dice, [
      { _tag: "Isolate", node: "leader" },
      { _tag: "Crash", node: "leader", keepsUnsynced: true },
      { _tag: "Isolate", node: oneOf(dice, nodes) }
    ])
  )
  return {
    ...plan,
    size,
    spares,
    clients: 2,
    operationsPerSecond: 20,
    config: {
      ...plan.config,
      maxPromotionLagBytes: 1_000_000,
      heartbeatIntervalMillis: 20,
      electionTimeoutMillis: 100
    },
    network: { ...plan.network, delayMillis: [0, 10], loss: 0 },
    diskMillis: [],
    faults: [...breaks, ...orders].sort((one, other) => one.atMillis - other.atMillis)
  }
}

const drawOrder = (dice: Dice, nodes: ReadonlyArray<NodeId>): Fault => {
  const nodeId = oneOf(dice, nodes)
  return oneOf<Fault>(dice, [
    { _tag: "Transfer", to: nodeId },
    changing({ _tag: "AddLearner", nodeId, address: `memory:${nodeId}` }),
    changing({ _tag: "AddLearner", nodeId, address: `memory:${nodeId}` }),
    changing({ _tag: "Promote", nodeId }),
    changing({ _tag: "Promote", nodeId }),
    changing({ _tag: "Demote", nodeId }),
    changing({ _tag: "Remove", nodeId }),
    changing({ _tag: "ReplaceVoters", voters: nodes.filter(() => dice.happens(0.5)) })
  ])
}

const changing = (change: MembershipChange): Fault => ({ _tag: "ChangeMembership", change })

/**
 * Clients read by lease while clocks run at very different rates, within the bound that is told. The slowest
 * is asked to lead again and again, and cut off each time: it is the last to notice.
 */
export const drifting: Aim = (plan) => {
  const node = NodeId.make("n1")
  const rounds = [1_000, 2_500, 4_000]
  return {
    ...plan,
    size: 5,
    config: {
      ...plan.config,
      preVote: true,
      checkQuorum: true,
      leaseReads: true,
      maxClockDriftPercent: 70
    },
    network: { ...plan.network, delayMillis: [0, 10], loss: 0, heldRequests: 0 },
    diskMillis: [],
    driftPerMille: [-400, 400, 400, 400, 400],
    faults: rounds.flatMap((atMillis): ReadonlyArray<ScheduledFault> => [
      { atMillis, forMillis: 0, fault: { _tag: "Transfer", to: node } },
      { atMillis: atMillis + 300, forMillis: 1_000, fault: { _tag: "Isolate", node } }
    ])
  }
}

/** Clients wait until they are answered: a call that never ends is one that nobody gives up. */
export const patient: Aim = (plan) => ({ ...plan, patienceMillis: 60_000 })

/** Words arrive late and twice, when they are no longer true. */
export const lateWords: Aim = (plan) => ({
  ...plan,
  network: {
    delayMillis: [0, 60],
    loss: 0.01,
    duplication: 0.3,
    heldRequests: 0.2,
    heldReplies: 0.4,
    inOrder: false
  }
})

/** Four nodes or five without the guards of elections: nodes stand for the same term, and votes come late. */
export const splitVotes: Aim = (plan) => {
  const dice = diceOf(plan, "splitVotes")
  const node: Victim = "leader"
  return {
    ...plan,
    size: oneOf(dice, [4, 4, 5]),
    config: { ...plan.config, preVote: false, checkQuorum: false, leaseReads: false },
    network: {
      delayMillis: [0, 300],
      loss: 0.02,
      duplication: 0.1,
      heldRequests: 0,
      heldReplies: 0.5,
      inOrder: false
    },
    faults: faultsOf(plan, dice, { everyMillis: 500, longestMillis: 400 }, () => ({ _tag: "Isolate", node }))
  }
}

/** More commands than an applier takes at a time, and then all nodes start anew, without a snapshot. */
export const backlog: Aim = (plan) => ({
  ...plan,
  size: 3,
  clients: 6,
  durationMillis: 3_000,
  config: {
    ...plan.config,
    maxAppendBytes: 500_000,
    maxInflightEntries: 10_000,
    snapshotEveryEntries: 1_000_000
  },
  network: { delayMillis: [0, 0], loss: 0, duplication: 0, heldRequests: 0, heldReplies: 0, inOrder: true },
  diskMillis: [],
  faults: [
    { atMillis: 1_000, forMillis: 700, fault: { _tag: "Storm" } },
    { atMillis: 2_500, forMillis: 10, fault: { _tag: "Blackout" } }
  ]
})

/** Wall clocks jump back and forth. */
export const jumpyClocks: Aim = (plan) => {
  const dice = diceOf(plan, "jumpyClocks")
  const draw = (): Fault => ({
    _tag: "ClockJump",
    node: NodeId.make(`n${dice.within([1, plan.size])}`),
    byMillis: dice.within([-100_000, 100_000])
  })
  const jumps = faultsOf(plan, dice, { everyMillis: 200, longestMillis: 1 }, draw)
  return { ...plan, faults: [...plan.faults, ...jumps] }
}

/** Many clients that ask often. */
export const busy: Aim = (plan) => ({ ...plan, clients: 6, operationsPerSecond: 100, patienceMillis: 1_000 })

/** Writes take so long that others overtake them. */
export const slowDisks: Aim = (plan) => ({ ...plan, diskMillis: [10, 150, 50, 150, 10, 50, 150] })

/** Snapshots after a few entries, and nothing kept in front of them. */
export const compacting: Aim = (plan) => ({
  ...plan,
  config: { ...plan.config, snapshotEveryEntries: 4, snapshotTrailingEntries: 0 }
})

/**
 * Followers fall behind, or seem to because nobody hears them, one after the other, and are helped with
 * snapshots in many small pieces.
 */
export const laggards: Aim = (plan) => {
  const dice = diceOf(plan, "laggards")
  const node = () => NodeId.make(`n${dice.within([1, 3])}`)
  const draw = (): Fault =>
    oneOf<Fault>(dice, [
      { _tag: "Isolate", node: node() },
      { _tag: "OneWay", from: node(), to: node() },
      { _tag: "OneWay", from: node(), to: node() },
      { _tag: "Crash", node: node(), keepsUnsynced: true }
    ])
  return {
    ...compacting(plan),
    size: 3,
    config: { ...compacting(plan).config, snapshotPieceBytes: 25 },
    faults: faultsOf(plan, dice, { everyMillis: 200, longestMillis: 1_000 }, draw)
  }
}

/** Segments come and go by the dozen, are written over, and the power fails now and then. */
export const reusing: Aim = (plan) => {
  const dice = diceOf(plan, "reusing")
  const draw = (): Fault => {
    const node = NodeId.make(`n${dice.within([1, 3])}`)
    return oneOf<Fault>(dice, [
      { _tag: "FailingWrite", node, keepsUnsynced: false },
      { _tag: "Crash", node, keepsUnsynced: false }
    ])
  }
  return {
    ...compacting(plan),
    size: 3,
    clients: 6,
    operationsPerSecond: 300,
    network: { delayMillis: [0, 1], loss: 0, duplication: 0, heldRequests: 0, heldReplies: 0, inOrder: true },
    diskMillis: [],
    faults: faultsOf(plan, dice, { everyMillis: 300, longestMillis: 50 }, draw)
  }
}

/** The power fails, at once or in the middle of a write, of one node or of all. */
export const powerCuts: Aim = (plan) => {
  const dice = diceOf(plan, "powerCuts")
  const draw = (): Fault => {
    const node = NodeId.make(`n${dice.within([1, plan.size])}`)
    return oneOf<Fault>(dice, [
      { _tag: "FailingWrite", node, keepsUnsynced: false },
      { _tag: "Crash", node, keepsUnsynced: false },
      { _tag: "Crash", node: "leader", keepsUnsynced: false },
      { _tag: "Blackout" }
    ])
  }
  return { ...plan, faults: faultsOf(plan, dice, { everyMillis: 150, longestMillis: 200 }, draw) }
}
