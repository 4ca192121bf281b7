/**
 * A node: the actor, whose turns own the state (Turns), and the fibers around it, put together.
 *
 * | fiber | lives as long as | waits for |
 * | --- | --- | --- |
 * | actor | the node | its mailbox |
 * | log writer | the node | writes to do, the disk |
 * | snapshotter | the node | a snapshot to write, the disk |
 * | snapshot receiver | the node | pieces of a leader's snapshot, the disk |
 * | applier | the node | committed entries |
 * | peer directory | the node | another membership |
 * | patience | the node | the end of a call's time |
 * | role fibers | role and term | timers, their gate |
 *
 * The fibers sleep while their work is done in plain calls (Doorbell). When the disk, the machine or an assertion
 * fails, the node stops itself (Ending): every caller is answered, its Scope closes, and `failure` tells why.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import type { SendWhenDurable } from "./consensus/Action.ts"
import type { Event } from "./consensus/Event.ts"
import type { Stamp } from "./consensus/NodeState.ts"
import * as Snapshotting from "./consensus/Snapshotting.ts"
import { Admission } from "./internal/Admission.ts"
import * as Applier from "./internal/Applier.ts"
import * as Doorbell from "./internal/Doorbell.ts"
import * as EarlyLooks from "./internal/EarlyLooks.ts"
import * as Ending from "./internal/Ending.ts"
import * as Farewell from "./internal/Farewell.ts"
import * as Forwarder from "./internal/Forwarder.ts"
import * as LogWriter from "./internal/LogWriter.ts"
import * as MachineUpgrade from "./internal/MachineUpgrade.ts"
import * as Mailbox from "./internal/Mailbox.ts"
import * as OperatorCalls from "./internal/OperatorCalls.ts"
import * as Patience from "./internal/Patience.ts"
import * as PeerDirectory from "./internal/PeerDirectory.ts"
import * as Recovery from "./internal/Recovery.ts"
import type { ReplicaSnapshot } from "./internal/Replica.ts"
import { Outbox } from "./internal/Outbox.ts"
import { RaftRules } from "./internal/RaftRules.ts"
import { ChunkBytes, ReusedMemory } from "./internal/ReusedMemory.ts"
import * as Reasons from "./internal/Reasons.ts"
import { ReadSlots } from "./internal/ReadSlots.ts"
import { ReplySlots } from "./internal/ReplySlots.ts"
import type { ProposalSlot } from "./internal/ReplySlots.ts"
import * as RoleScope from "./internal/RoleScope.ts"
import type { RunningNode } from "./internal/RunningNode.ts"
import * as SnapshotLabel from "./internal/SnapshotLabel.ts"
import * as SnapshotReceiver from "./internal/SnapshotReceiver.ts"
import * as Snapshotter from "./internal/Snapshotter.ts"
import * as Turns from "./internal/Turns.ts"
import { Watchers } from "./internal/Watchers.ts"
import * as LogIndex from "./LogIndex.ts"
import type { Membership } from "./Membership.ts"
import type { ClusterId, GroupId, NodeId } from "./NodeId.ts"
import type { RaftConfig } from "./RaftConfig.ts"
import type { RaftErrorReason } from "./RaftError.ts"
import type { RaftStorage, StorageError } from "./RaftStorage.ts"
import { RaftTrace } from "./RaftTrace.ts"
import { RaftTransport } from "./RaftTransport.ts"
import type { TransportError } from "./RaftTransport.ts"
import * as SessionAnswer from "./sessions/SessionAnswer.ts"
import * as MachineVersion from "./MachineVersion.ts"
import type { SnapshotMeta } from "./Snapshot.ts"
import type { StateMachine } from "./StateMachine.ts"

/** What a node is made of. All ids are checked by the caller. */
export interface Options<Command, Reply, View> {
  readonly machine: StateMachine<Command, Reply, View>
  readonly clusterId: ClusterId
  readonly groupId: GroupId
  readonly nodeId: NodeId
  /** In force while neither log nor snapshot says otherwise; `none` for a node that is to join. */
  readonly membership: Membership
  readonly config: RaftConfig
  readonly attributes: Readonly<Record<string, string>>
}

/** Starts a node that runs until the Scope closes, or until it fails. */
export const make = <Command, Reply, View>(
  options: Options<Command, Reply, View>
): Effect.Effect<
  RunningNode<View>,
  StorageError | TransportError,
  RaftStorage | RaftTransport | Scope.Scope
> =>
  Effect.gen(function* () {
    const { nodeId, clusterId, groupId, config, machine, membership } = options
    const transport = yield* RaftTransport
    const clock = yield* Clock.Clock
    const random = yield* Random.Random
    const tracer = (yield* RaftTrace)(nodeId)
    const rules = yield* RaftRules
    const scope = yield* Scope.fork(yield* Effect.scope)

    // ------------------------------------------------------------------------------------------------
    // What the node knows at its start
    // ------------------------------------------------------------------------------------------------

    const nowMillis = () => Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000
    const readStamp = (): Stamp => ({
      nowMillis: nowMillis(),
      wallMillis: clock.currentTimeMillisUnsafe(),
      jitter: random.nextDoubleUnsafe()
    })

    /** A number that no earlier life of the node has used, as far as chance goes. */
    const newNumber = () => Math.floor(random.nextDoubleUnsafe() * 2 ** 45)

    const identity = { clusterId, groupId, nodeId }
    const { store, state, actions } = yield* Recovery.recover({
      identity,
      config,
      membership,
      newRequestId: newNumber,
      readStamp
    }).pipe(Scope.provide(scope))
    const isLogsAlone = transport.copiesBlocks === true && store.copiesBlocks === true
    const memory = isLogsAlone ? new ReusedMemory(yield* ChunkBytes) : undefined
    const node: Turns.Knowledge = { state: memory === undefined ? state : { ...state, memory } }
    const { snapshot: restored } = state
    tracer.onStart?.(node.state, nowMillis())

    const watchers = new Watchers()
    const slots = new ReplySlots()
    const readSlots = new ReadSlots(() => Reasons.tooFarBehind(config))

    // ------------------------------------------------------------------------------------------------
    // The fibers around the actor
    // ------------------------------------------------------------------------------------------------

    const ending = Ending.make(nodeId, scope, (reason) => answerAll(reason))
    const { stopped, fail, run } = ending
    const doorbell = yield* Doorbell.make(() => turns.work())
    const mailbox = Mailbox.make(config, doorbell.ring)
    const logWriter = yield* LogWriter.make(store, mailbox.signal)
    logWriter.enqueue(actions.filter(Turns.isPersist))
    const labelOf = (place: Snapshotter.Place, snapshot: ReplicaSnapshot): SnapshotMeta =>
      SnapshotLabel.of(nodeId, newNumber(), node.state.configurations, place, snapshot)
    const snapshotter = yield* Snapshotter.make({
      config,
      store: store.snapshots,
      lastIndex: restored?.lastIndex ?? LogIndex.zero,
      describe: labelOf,
      onTaken: mailbox.signal
    })
    const applier = yield* Applier.make({
      machine,
      slots,
      tracer,
      snapshots: store.snapshots,
      onPortion: (moment) => {
        if (SnapshotLabel.isPossible(node.state.configurations, moment.place)) snapshotter.consider(moment)
      },
      onRestored: snapshotter.restored
    })
    const receiver = yield* SnapshotReceiver.make({
      store: store.snapshots,
      onReceived: mailbox.signal,
      onArrival: applier.arrive,
      onProgress: (leader, snapshotId, offset) => tellProgress(leader, snapshotId, offset)
    })
    if (restored !== undefined) applier.restore(restored.lastIndex)
    // What an earlier life knew to be committed need not wait for a leader.
    applier.advance(node.state.log, node.state.commitIndex)

    const supported = machine.version ?? 0

    const propose = (slot: ProposalSlot): void => {
      const reason = stopped()
      if (reason !== undefined) return slot.onFailed(reason)
      if (!mailbox.request({ _tag: "Propose", slot })) slot.onFailed(Reasons.tooManyRequests(config))
    }

    const forwarder = Forwarder.make({
      nowMillis,
      firstRequestId: newNumber(),
      admission: new Admission(node.state.currentTerm),
      currentTerm: () => node.state.currentTerm,
      isLeader: () => node.state.role._tag === "Leader",
      encodeReply: (kind, reply) =>
        kind === "Session"
          ? SessionAnswer.encode(reply as SessionAnswer.SessionAnswer)
          : machine.reply.encode(reply as Reply),
      propose,
      send: (to, message) => send(to, message)
    })

    /** Peers with whom there is a connection, as far as the transport tells. */
    const found = new Set<NodeId>()
    const endpoint = yield* transport
      .open({
        ...identity,
        attributes:
          supported === 0
            ? options.attributes
            : { ...options.attributes, [MachineVersion.attribute]: `${supported}` },
        peers: PeerDirectory.peers(node.state),
        handler: {
          onMessage: (from, message) => {
            if (stopped() !== undefined) return
            const event: Event = { _tag: "Received", from, message }
            if (!Forwarder.isForwarding(message)) return void mailbox.message(event)
            tracer.onEvent?.(event)
            forwarder.onMessage(from, message)
          },
          onPeerLost: (peer) => {
            found.delete(peer)
            forwarder.onPeerLost(peer)
            mailbox.signal({ _tag: "PeerLost", peer })
          },
          onPeerFound: (peer) => {
            found.add(peer)
            mailbox.signal({ _tag: "PeersFound", peers: Array.from(found) })
          }
        }
      })
      .pipe(Scope.provide(scope))
    const peerDirectory = PeerDirectory.make(() => node.state, endpoint)
    const operators = OperatorCalls.make({ config, mailbox, endpoint, stopped })

    const send = (to: NodeId, message: SendWhenDurable["message"]): boolean => {
      tracer.onSend?.(to, message)
      return endpoint.send(to, message)
    }

    const roleScope = yield* Scope.provide(
      RoleScope.make({
        state: () => node.state,
        nowMillis,
        send,
        post: mailbox.signal,
        openSnapshot: store.snapshots.reader,
        onStorageFailed: (error) => fail(Reasons.storageFailure(error))
      }),
      scope
    )

    const tellProgress = (leader: NodeId, snapshotId: string, offset: number): void => {
      const reply = Snapshotting.progressReply(node.state, leader, snapshotId, offset)
      if (reply !== undefined) send(leader, reply)
    }

    /**
     * A leader knows what its readers must see; a follower will hear of it, and has it if it has all that it
     * knows of.
     */
    const isUpToDate = (): boolean => {
      const { commitIndex, log, role } = node.state
      return applier.appliedIndex() >= (role._tag === "Leader" ? commitIndex : log.lastIndex)
    }

    const turns = Turns.make(node, {
      rules,
      tracer,
      readStamp,
      nowMillis,
      isStopped: () => stopped() !== undefined,
      mailbox,
      slots,
      readSlots,
      earlyLooks: yield* EarlyLooks.make(readSlots, isUpToDate),
      operators,
      peerDirectory,
      roleScope,
      outbox: new Outbox(send),
      logWriter,
      applier,
      snapshotter,
      receiver,
      watchers,
      memory
    })

    // ------------------------------------------------------------------------------------------------
    // Beginning and end
    // ------------------------------------------------------------------------------------------------

    const answerAll = (reason: RaftErrorReason): void => {
      tracer.onStop?.(reason)
      for (const request of mailbox.drainRequests()) {
        if (request._tag === "Propose") request.slot.onFailed(reason)
      }
      turns.failAll(reason)
      slots.failAll()
      readSlots.failAll(reason)
      operators.failAll(reason)
      forwarder.failAll()
      watchers.notify()
    }

    yield* ending.attend
    yield* run(
      "applier",
      applier.run.pipe(Effect.catchTag("StorageError", (error) => Effect.fail(Reasons.storageFailure(error))))
    )
    yield* run("logWriter", Effect.mapError(logWriter.run, Reasons.storageFailure))
    yield* run("snapshotter", Effect.mapError(snapshotter.run, Reasons.storageFailure))
    yield* run(
      "snapshotReceiver",
      Effect.mapError(Scope.provide(receiver.run, scope), Reasons.storageFailure)
    )
    yield* run("peerDirectory", peerDirectory.run)
    const timeoutMillis = config.requestTimeoutMillis
    yield* run("patience", Patience.run({ timeoutMillis, nowMillis, lines: [readSlots, forwarder] }))
    yield* roleScope.reconcile(node.state) ?? Effect.void
    yield* run("actor", doorbell.attend)
    const abandon = (index: LogIndex.LogIndex) => slots.forget(index)
    if (supported > 0) {
      const upgrade = {
        supported,
        current: applier.version,
        state: () => node.state,
        watchers,
        attributesOf: endpoint.attributesOf,
        node: { propose, abandon }
      }
      yield* run("machineUpgrade", MachineUpgrade.run(upgrade))
    }

    // The whole node still runs here: the finalizers of the outer Scope come before the node's own ends.
    yield* Effect.addFinalizer((exit) =>
      stopped() === undefined && Farewell.isDue(exit)
        ? Farewell.say(node.state, readStamp(), operators)
        : Effect.void
    )

    const read: RunningNode<View>["read"] = (wait, options) => {
      const readId = readSlots.open(nowMillis(), wait)
      const reason = stopped()
      if (reason !== undefined) readSlots.fail([readId], reason)
      else if (!mailbox.request({ _tag: "Read", readId, mayUseLease: options?.mayUseLease ?? false }))
        readSlots.fail([readId], Reasons.tooManyRequests(config))
      return readId
    }

    return {
      state: () => node.state,
      nowMillis,
      appliedIndex: applier.appliedIndex,
      propose,
      changeMembership: operators.changeMembership,
      transferLeadership: operators.transferLeadership,
      abandon,
      forward: forwarder.forward,
      read,
      forgetRead: (readId) => readSlots.forget(readId),
      waiting: () => ({ proposals: slots.size, reads: readSlots.size, forwarded: forwarder.size() }),
      view: applier.view,
      machineVersion: applier.version,
      snapshot: () => {
        const moment = applier.moment()
        const snapshot = moment.snapshot()
        return { meta: labelOf(moment.place, snapshot), pieces: snapshot.pieces }
      },
      appliedBeyond: (index) => Effect.raceFirst(applier.appliedBeyond(index), ending.ended),
      watchers,
      attributesOf: endpoint.attributesOf,
      stopped,
      failure: ending.failure
    }
  })
