/**
 * A random walk through what can happen to a cluster, drawn from a seed.
 *
 * A seed first draws a world (how many nodes, which settings), then its weather, which changes as the walk goes
 * on: how lossy the network is, how slow the disks, how often somebody dies. Calm lets logs grow, and what
 * comes after it finds something to break. At the end the faults stop, and the cluster must find a leader,
 * commit, and end what changes of its membership were begun: a wedge is a bug like any other.
 */
import type { Event } from "../../src/consensus/Event.ts"
import type { NodeId } from "../../src/NodeId.ts"
import * as Membership from "../../src/Membership.ts"
import type { MembershipChange } from "../../src/MembershipChange.ts"
import { peersOf, replicatedTo } from "../../src/consensus/NodeState.ts"
import { Dice } from "./Dice.ts"
import * as Build from "./Build.ts"
import { Invariants } from "./Invariants.ts"
import type { Envelope, Observer } from "./PureCluster.ts"
import { PureCluster, leaderOf } from "./PureCluster.ts"
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
  /** How often a log was let begin later, and a leader's snapshot taken over. */
  readonly compactions: number
  readonly installs: number
  /** Memberships that were committed, those of them that were joint, and learners that became voters. */
  readonly changes: number
  readonly joints: number
}

/** Walks `steps` steps from `seed`; throws when something breaks. */
export const explore = (options: { readonly seed: number; readonly steps: number }): Outcome => {
  const dice = new Dice(options.seed)
  const invariants: Invariants = new Invariants(() => cluster)
  const counts = { compactions: 0, installs: 0, changes: 0, joints: 0 }
  const counter: Observer = {
    onTurn: ({ before, after, actions }) => {
      if (before.membership._tag === "Joint" && after.membership._tag === "Simple") counts.joints++
      for (const action of actions) {
        if (action._tag === "Persist" && action.base !== undefined) counts.compactions++
        if (action._tag === "RestoreMachine") counts.installs++
        if (action._tag === "MembershipSettled") counts.changes++
      }
    }
  }
  const cluster: PureCluster = new PureCluster({
    ...drawWorld(dice),
    jitter: () => dice.fraction(),
    observers: [invariants, counter]
  })
  const walk: Walk = { dice, cluster, cut: new Set(), nextId: 1 }
  for (let step = 0; step < options.steps; step += stepsOfWeather)
    drive(walk, drawWeights(dice), stepsOfWeather)
  settleDown(walk)
  const terms = cluster.nodes.map((node): number => node.state.currentTerm)
  return { committed: invariants.committed.length, terms: Math.max(...terms), ...counts }
}

/** How long it stays as calm, as lossy or as deadly as it is. */
const stepsOfWeather = 250

const drive = (walk: Walk, weights: Weights, steps: number): void => {
  const total = weights.reduce((sum, [weight]) => sum + weight, 0)
  for (let step = 0; step < steps; step++) {
    let drawn = walk.dice.fraction() * total
    const chosen = weights.find(([weight]) => (drawn -= weight) < 0)
    chosen?.[1](walk)
  }
}

const drawWorld = (dice: Dice) => ({
  spares: ["n7", "n8", "n9"].slice(0, dice.pick([0, 1, 3])).map(Build.id),
  membership: dice.oneIn(8)
    ? Build.joint({
        voters: ["n1", "n2", "n3"],
        outgoing: dice.pick([["n4"], ["n1", "n4"], ["n3", "n4", "n5"]])
      })
    : Build.membership({ voters: dice.pick([1, 2, 3, 3, 3, 4, 5]), learners: dice.oneIn(4) ? 1 : 0 }),
  config: Build.config({
    preVote: !dice.oneIn(3),
    checkQuorum: !dice.oneIn(3),
    maxAppendBytes: dice.pick([1, 1, 100, 100_000]),
    maxInflightEntries: dice.pick([1, 1, 3, 1000]),
    maxInflightBytes: dice.pick([1, 200, 100_000]),
    maxPromotionLagBytes: dice.pick([0, 100, 100_000]),
    maxUncommittedBytes: dice.pick([200, 100_000]),
    snapshotTrailingEntries: dice.pick([0, 0, 2, 1000]),
    snapshotTrailingBytes: dice.pick([0, 60, 100_000]),
    snapshotPieceBytes: dice.pick([3, 20, 100_000]),
    requestTimeoutMillis: dice.pick([50, 3000])
  })
})

const drawWeights = (dice: Dice): Weights => {
  const often = () => 1 + dice.below(20)
  const seldom = () => dice.pick([0, 0.1, 0.3, 1, 3])
  return [
    [often() + 20, deliverOne],
    [often() + 10, pumpOne],
    [often() + 5, writeSome],
    [often() / 3, passTime],
    [dice.pick([0, 1, 5]), (walk) => happensAtLeader(walk, { _tag: "HeartbeatDue" })],
    [often() / 2, propose],
    [often() / 4, read],
    [dice.pick([0, 0, 0.5, 3]), changeMembership],
    [dice.pick([0, 0, 0.3, 1]), transfer],
    [dice.pick([0, 0.3, 2]), takeSnapshot],
    [often() / 2, finishSnapshot],
    [seldom(), (walk) => happens(walk, { _tag: "ReadRetryDue" })],
    [seldom(), duplicateOne],
    [seldom() * 2, dropOne],
    [seldom() / 6, crash],
    [seldom() + 0.3, restart],
    [seldom() / 6, cutLink],
    [seldom() / 6, isolate],
    [seldom() / 3 + 0.1, healLinks],
    [seldom() / 3, losePeer]
  ]
}

const happens = (walk: Walk, event: Event): void =>
  walk.cluster.happens(walk.dice.pick(walk.cluster.nodes), event)

/** Mostly at a leader, where it matters most; sometimes at one that was deposed and does not know. */
const happensAtLeader = (walk: Walk, event: Event): void => walk.cluster.happens(pickLeader(walk), event)

const pickLeader = ({ dice, cluster }: Walk): SimulatedNode => {
  const leaders = cluster.nodes.filter((node) => node.isUp && node.state.role._tag === "Leader")
  return leaders.length === 0 || dice.oneIn(4) ? dice.pick(cluster.nodes) : dice.pick(leaders)
}

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

/** The fibers of a node get to run. The network holds only so much. */
const pumpOne = (walk: Walk): void => {
  const { dice, cluster } = walk
  const node = dice.pick(cluster.nodes)
  for (const peer of spokenTo(node)) {
    if (dice.oneIn(3)) continue
    if (!isAsking(walk, node, peer)) cluster.ask(node, peer)
    cluster.replicate(node, peer)
    cluster.sendSnapshot(node, peer)
  }
  while (cluster.inFlight.length > 40) cluster.drop(dice.pick(cluster.inFlight))
}

const spokenTo = ({ state }: SimulatedNode): ReadonlySet<NodeId> =>
  new Set([...peersOf(state), ...replicatedTo(state)])

/** Whether a question for votes is on its way: another one would only fill the network. */
const isAsking = ({ cluster }: Walk, { id }: SimulatedNode, peer: NodeId): boolean =>
  cluster.inFlight.some(
    ({ from, to, message }) =>
      from === id && to === peer && (message._tag === "PreVote" || message._tag === "RequestVote")
  )

const writeSome = ({ dice, cluster }: Walk): void => {
  const node = dice.pick(cluster.nodes)
  if (node.isUp && node.unwritten.length > 0) node.write(1 + dice.below(node.unwritten.length))
}

const takeSnapshot = ({ dice, cluster }: Walk): void => {
  const node = dice.pick(cluster.nodes)
  if (node.isUp) node.takeSnapshot()
}

const finishSnapshot = ({ dice, cluster }: Walk): void => {
  const node = dice.pick(cluster.nodes)
  if (node.isUp) node.finishSnapshot()
}

/** Time passes, and every election timer looks at the clock. */
const passTime = ({ dice, cluster }: Walk): void => {
  // Without leader and candidates nothing happens before an election timeout has passed.
  const isIdle = cluster.nodes.every(({ state }) => state.role._tag === "Follower")
  cluster.nowMillis += isIdle ? 100 : dice.pick([1, 5, 20, 60])
  for (const node of cluster.nodes) cluster.happens(node, { _tag: "ElectionDue" })
}

const propose = (walk: Walk): void => {
  const drafts = Array.from({ length: 1 + walk.dice.below(3) }, () => Build.command(`c${walk.nextId++}`))
  happensAtLeader(walk, { _tag: "Proposed", drafts })
}

const read = (walk: Walk): void => happensAtLeader(walk, { _tag: "ReadsRequested", readIds: [walk.nextId++] })

const changeMembership = (walk: Walk): void =>
  happensAtLeader(walk, { _tag: "MembershipRequested", requestId: walk.nextId++, change: drawChange(walk) })

const transfer = (walk: Walk): void => {
  const to = walk.dice.oneIn(2) ? walk.dice.pick(walk.cluster.nodes).id : null
  happensAtLeader(walk, { _tag: "TransferRequested", requestId: walk.nextId++, to })
}

const drawChange = ({ dice, cluster }: Walk): MembershipChange => {
  const ids = cluster.nodes.map(({ id }) => id)
  const nodeId = dice.pick(ids)
  const address = `memory:${nodeId}${dice.oneIn(3) ? "/elsewhere" : ""}`
  const changes: ReadonlyArray<MembershipChange> = [
    { _tag: "AddLearner", nodeId, address },
    { _tag: "AddLearner", nodeId, address, autoPromote: true },
    { _tag: "Promote", nodeId },
    { _tag: "Demote", nodeId },
    { _tag: "Remove", nodeId },
    { _tag: "ReplaceVoters", voters: ids.filter(() => dice.oneIn(2)) },
    { _tag: "Move", nodeId, address }
  ]
  return dice.pick(changes)
}

const crash = (walk: Walk): void => {
  const node = walk.dice.oneIn(2) ? pickLeader(walk) : walk.dice.pick(walk.cluster.nodes)
  const keepsSnapshots = walk.dice.oneIn(2)
  if (node.isUp) node.crash(walk.dice.below(node.unwritten.length + 1), { keepsSnapshots })
}

const restart = ({ dice, cluster }: Walk): void => {
  const node = dice.pick(cluster.nodes)
  if (!node.isUp) cluster.restart(node)
}

const cutLink = ({ dice, cluster, cut }: Walk): void => {
  cut.add(link(dice.pick(cluster.nodes).id, dice.pick(cluster.nodes).id))
}

/** A node, often the leader, reaches nobody and is reached by nobody: the others may replace it unnoticed. */
const isolate = (walk: Walk): void => {
  const alone = pickLeader(walk).id
  for (const { id } of walk.cluster.nodes) walk.cut.add(link(alone, id)).add(link(id, alone))
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
  node.finishSnapshot()
  for (const peer of spokenTo(node)) {
    cluster.ask(node, peer)
    cluster.sendSnapshot(node, peer)
    for (let sent = 0; sent < 50 && cluster.replicate(node, peer); sent++);
  }
  for (const envelope of cluster.inFlight) cluster.deliver(envelope)
}

const isSettled = (cluster: PureCluster): boolean => {
  const leader = leaderOf(cluster)
  if (leader === undefined || leader.state.membership._tag === "Joint") return false
  const { membership } = leader.state
  return cluster.nodes
    .filter(({ id }) => Membership.isMember(membership, id))
    .every(
      ({ state }) =>
        state.currentTerm === leader.state.currentTerm &&
        state.commitIndex === leader.state.log.lastIndex &&
        state.log.lastIndex === leader.state.log.lastIndex
    )
}
