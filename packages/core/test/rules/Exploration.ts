/**
 * A random walk through what can happen to a cluster, drawn from a seed.
 *
 * A seed first draws a world (how many nodes, which settings, how lossy a network, how slow a disk) and
 * then thousands of steps in it, so that some worlds are calm and others are hopeless. At the end the
 * faults stop, and the cluster must find a leader and commit: a wedge is a bug like any other.
 */
import { Dice } from "./Dice.ts"
import * as Build from "./Build.ts"
import { Invariants } from "./Invariants.ts"
import type { Envelope } from "./PureCluster.ts"
import { PureCluster, leaderOf, peersOf } from "./PureCluster.ts"
import type { SimulatedNode } from "./SimulatedNode.ts"

/** How often each thing happens, against the others. */
type Weights = ReadonlyArray<readonly [weight: number, what: (walk: Walk) => void]>

interface Walk {
  readonly dice: Dice
  readonly cluster: PureCluster
  /** One-way links that lose everything now. */
  readonly cut: Set<string>
  nextId: number
}

export interface Outcome {
  readonly committed: number
  readonly terms: number
}

/** Walks `steps` steps from `seed`; throws when something breaks. */
export const explore = (options: { readonly seed: number; readonly steps: number }): Outcome => {
  const dice = new Dice(options.seed)
  const invariants: Invariants = new Invariants(() => cluster)
  const cluster: PureCluster = new PureCluster({
    ...drawWorld(dice),
    jitter: () => dice.fraction(),
    observers: [invariants]
  })
  const walk: Walk = { dice, cluster, cut: new Set(), nextId: 1 }
  const weights = drawWeights(dice)
  const total = weights.reduce((sum, [weight]) => sum + weight, 0)
  for (let step = 0; step < options.steps; step++) {
    let drawn = dice.fraction() * total
    const chosen = weights.find(([weight]) => (drawn -= weight) < 0)
    chosen?.[1](walk)
  }
  settleDown(walk)
  const terms = cluster.nodes.map((node): number => node.state.currentTerm)
  return { committed: invariants.committed.length, terms: Math.max(...terms) }
}

const drawWorld = (dice: Dice) => ({
  membership: Build.membership({ voters: dice.pick([1, 2, 3, 3, 3, 4, 5]), learners: dice.oneIn(4) ? 1 : 0 }),
  config: Build.config({
    preVote: !dice.oneIn(3),
    checkQuorum: !dice.oneIn(3),
    maxAppendBytes: dice.pick([1, 100, 100_000]),
    maxInflightEntries: dice.pick([1, 3, 1000]),
    maxInflightBytes: dice.pick([1, 200, 100_000]),
    maxUncommittedBytes: dice.pick([200, 100_000])
  })
})

const drawWeights = (dice: Dice): Weights => {
  const often = () => 1 + dice.below(20)
  const seldom = () => dice.pick([0, 0.1, 0.3, 1, 3])
  return [
    [often() + 20, deliverOne],
    [often() + 10, pumpOne],
    [often() + 5, writeSome],
    [often(), passTime],
    [often() / 2, (walk) => happens(walk, { _tag: "HeartbeatDue" })],
    [often() / 2, propose],
    [often() / 4, read],
    [seldom(), (walk) => happens(walk, { _tag: "ReadRetryDue" })],
    [seldom(), duplicateOne],
    [seldom() * 3, dropOne],
    [seldom() / 4, crash],
    [seldom(), restart],
    [seldom() / 3, cutLink],
    [seldom(), healLinks],
    [seldom() / 3, losePeer]
  ]
}

const happens = (walk: Walk, event: Parameters<SimulatedNode["handle"]>[0]): void =>
  walk.cluster.happens(walk.dice.pick(walk.cluster.nodes), event)

const link = (from: string, to: string) => `${from}>${to}`

/** Mostly the oldest message, sometimes any: networks reorder, but not always. */
const pickMessage = ({ dice, cluster }: Walk): Envelope | undefined =>
  dice.oneIn(3) ? cluster.inFlight[dice.below(cluster.inFlight.length)] : cluster.inFlight[0]

const deliverOne = (walk: Walk): void => {
  const envelope = pickMessage(walk)
  if (envelope === undefined) return
  if (walk.cut.has(link(envelope.from, envelope.to))) walk.cluster.drop(envelope)
  else walk.cluster.deliver(envelope)
}

const duplicateOne = (walk: Walk): void => {
  const envelope = pickMessage(walk)
  if (envelope !== undefined && !walk.cut.has(link(envelope.from, envelope.to))) {
    walk.cluster.deliver(envelope, { again: true })
  }
}

const dropOne = (walk: Walk): void => {
  const envelope = pickMessage(walk)
  if (envelope !== undefined) walk.cluster.drop(envelope)
}

/** A fiber of a node gets to run. The network holds only so much. */
const pumpOne = ({ dice, cluster }: Walk): void => {
  const node = dice.pick(cluster.nodes)
  for (const peer of peersOf(node)) cluster.pump(node, peer)
  while (cluster.inFlight.length > 40) cluster.drop(dice.pick(cluster.inFlight))
}

const writeSome = ({ dice, cluster }: Walk): void => {
  const node = dice.pick(cluster.nodes)
  if (node.isUp && node.unwritten.length > 0) node.write(1 + dice.below(node.unwritten.length))
}

/** Time passes, and every election timer looks at the clock. */
const passTime = ({ dice, cluster }: Walk): void => {
  cluster.nowMillis += dice.pick([1, 5, 20, 60])
  for (const node of cluster.nodes) cluster.happens(node, { _tag: "ElectionDue" })
}

const propose = (walk: Walk): void => {
  const drafts = Array.from({ length: 1 + walk.dice.below(3) }, () => Build.command(`c${walk.nextId++}`))
  happens(walk, { _tag: "Proposed", drafts })
}

const read = (walk: Walk): void => happens(walk, { _tag: "ReadsRequested", readIds: [walk.nextId++] })

const crash = ({ dice, cluster }: Walk): void => {
  const node = dice.pick(cluster.nodes)
  if (node.isUp) node.crash(dice.below(node.unwritten.length + 1))
}

const restart = ({ dice, cluster }: Walk): void => {
  const node = dice.pick(cluster.nodes)
  if (!node.isUp) cluster.restart(node)
}

const cutLink = ({ dice, cluster, cut }: Walk): void => {
  cut.add(link(dice.pick(cluster.nodes).id, dice.pick(cluster.nodes).id))
}

const healLinks = ({ cut }: Walk): void => cut.clear()

const losePeer = (walk: Walk): void =>
  happens(walk, { _tag: "PeerLost", peer: walk.dice.pick(walk.cluster.nodes).id })

/** The faults stop. Within some rounds everybody holds, and knows to be committed, one log. */
const settleDown = ({ cluster, cut }: Walk): void => {
  cut.clear()
  for (const node of cluster.nodes) if (!node.isUp) cluster.restart(node)
  for (let round = 0; round < 500; round++) {
    cluster.nowMillis += 20
    for (const node of cluster.nodes) calmTurn(cluster, node)
    if (isSettled(cluster)) return
  }
  const roles = cluster.nodes.map(({ state }) => `${state.self} ${state.role._tag} in ${state.currentTerm}`)
  throw new Error(`Wedged: no progress without faults (${roles.join(", ")})`)
}

const calmTurn = (cluster: PureCluster, node: SimulatedNode): void => {
  cluster.happens(node, { _tag: "ElectionDue" })
  cluster.happens(node, { _tag: "HeartbeatDue" })
  node.write(node.unwritten.length)
  for (const peer of peersOf(node)) for (let sent = 0; sent < 50 && cluster.pump(node, peer); sent++);
  for (const envelope of cluster.inFlight) cluster.deliver(envelope)
}

const isSettled = (cluster: PureCluster): boolean => {
  const leader = leaderOf(cluster)
  return (
    leader !== undefined &&
    cluster.nodes.every(
      ({ state }) =>
        state.currentTerm === leader.state.currentTerm &&
        state.commitIndex === leader.state.log.lastIndex &&
        state.log.lastIndex === leader.state.log.lastIndex
    )
  )
}
