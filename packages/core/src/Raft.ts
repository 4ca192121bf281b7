/**
 * The public face: what a program does with a replicated state machine.
 *
 * A {@link Raft} is one node's handle on its group. `propose` and `read` are what most programs need;
 * `submit` and `committed` are the labs' `Start` and `applyCh`; `status`, `leader` and `changes` tell
 * what the node is doing.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import type { ClientEntrance } from "./ClientEntrance.ts"
import * as CheckQuorum from "./consensus/CheckQuorum.ts"
import * as NodeState from "./consensus/NodeState.ts"
import * as CommittedCommands from "./internal/CommittedCommands.ts"
import type { Committed } from "./internal/CommittedCommands.ts"
import * as Entrance from "./internal/Entrance.ts"
import * as LeaderNews from "./internal/LeaderNews.ts"
import * as LocalProposal from "./internal/LocalProposal.ts"
import * as LocalRead from "./internal/LocalRead.ts"
import * as ProposalCalls from "./internal/ProposalCalls.ts"
import type { Position } from "./internal/ReplySlots.ts"
import type { RunningNode, Waiting } from "./internal/RunningNode.ts"
import * as SessionCalls from "./internal/SessionCalls.ts"
import * as WaitingRoom from "./internal/WaitingRoom.ts"
import type { LogIndex } from "./LogIndex.ts"
import type { Membership } from "./Membership.ts"
import type { MembershipChange } from "./MembershipChange.ts"
import type { NodeId } from "./NodeId.ts"
import { because } from "./RaftError.ts"
import type { RaftError } from "./RaftError.ts"
import * as RaftNode from "./RaftNode.ts"
import * as RaftOptions from "./RaftOptions.ts"
import type { InvalidOptions, Options } from "./RaftOptions.ts"
import type { RaftStatus } from "./RaftStatus.ts"
import type { RaftStorage, StorageError } from "./RaftStorage.ts"
import type { RaftTransport, TransportError } from "./RaftTransport.ts"
import type { SessionOperations } from "./sessions/SessionOperations.ts"
import type { MachineSnapshot } from "./Snapshot.ts"
import type { StateMachineClass } from "./StateMachine.ts"

export type { Committed } from "./internal/CommittedCommands.ts"
export type { Position } from "./internal/ReplySlots.ts"
export type { Waiting } from "./internal/RunningNode.ts"
export { InvalidOptions } from "./RaftOptions.ts"
export type { Options } from "./RaftOptions.ts"
export { RaftStatus, Role } from "./RaftStatus.ts"

/** How fresh a read must be. */
export type Consistency =
  /** It sees everything that was answered before it began, on any node. Costs a quorum round, no disk. */
  | "linearizable"
  /**
   * As "linearizable", as long as clocks keep `maxClockDriftPercent`; a leader with a lease asks nobody. Where
   * there is no lease (`leaseReads` is off, or this node is not the leader) it costs what the other does.
   */
  | "lease"
  /** It sees what this node has applied. Costs nothing and may be old. */
  | "stale"

/** What `readStale` saw, and how old that is. */
export interface StaleRead<A> {
  readonly value: A
  /** The last entry that was applied. */
  readonly index: LogIndex
  readonly ageMillis: number
}

/** One node's handle on its group. */
export interface Raft<Command, Reply, View> {
  readonly nodeId: NodeId

  /**
   * Replicates a command and answers with the machine's reply, once it is durable on a quorum and
   * applied here. On a node that is not the leader it is passed on to the leader.
   *
   * Interrupting the call abandons the answer, not the command. `error.outcome` tells whether a failed
   * command may have taken effect all the same.
   */
  readonly propose: (command: Command) => Effect.Effect<Reply, RaftError>

  /** As `propose`, and tells where the command stands in the log. */
  readonly proposeAt: (command: Command) => Effect.Effect<Position & { readonly reply: Reply }, RaftError>

  /**
   * Appends a command to the leader's log and answers at once with its place (the labs' `Start`).
   * Whether it is committed shows in `committed`: another command may appear at its index.
   * Fails with `NotLeader` anywhere but on the leader.
   */
  readonly submit: (command: Command) => Effect.Effect<Position, RaftError>

  /**
   * What exactly-once is made of: sessions in the log, and commands that are applied once however often they
   * are sent. `Session.open(raft.sessions)` does the numbering and the trying again.
   */
  readonly sessions: SessionOperations<Command, Reply>

  /** Committed commands in order, from an index that is still held, and then as they come. */
  readonly committed: (options: { readonly from: LogIndex }) => Stream.Stream<Committed<Command>, RaftError>

  /** Looks at the state. `f` runs synchronously on this node and must not keep the view. */
  readonly read: <A>(
    f: (view: View) => A,
    options?: { readonly consistency?: Consistency }
  ) => Effect.Effect<A, RaftError>

  /**
   * Changes who belongs to the cluster, and answers with the membership when the change is committed; a
   * change by way of joint consensus, when that is behind it. Fails with `NotLeader` anywhere but on the
   * leader, with `MembershipRejected` where nothing was changed, and with `OutcomeUnknown` when the leader
   * loses its office, or the request timeout passes, first: then `status` tells.
   *
   * Interrupting the call abandons the answer, not the change.
   */
  readonly changeMembership: (change: MembershipChange) => Effect.Effect<Membership, RaftError>

  /**
   * The machine's state as bytes, for a backup: as of now, with everything that was answered before the
   * call began. Cheap to take; what is held back for it in memory grows with what is written meanwhile.
   */
  readonly snapshot: Effect.Effect<MachineSnapshot, RaftError>

  /**
   * Hands the leadership over to `to`, or to the voter that has most of the log, and answers with who leads
   * then. Commands wait meanwhile, no longer than an election timeout; then the leader leads on, and the call
   * fails with `TransferFailed`. Fails with `NotLeader` anywhere but on the leader.
   */
  readonly transferLeadership: (options?: { readonly to?: NodeId }) => Effect.Effect<NodeId, RaftError>

  /**
   * Looks at the state of this node as it is, and tells how far that is and how long ago the node last had
   * word of the others: of a leader, or as the leader of a quorum (`ageMillis`, infinite if it never had).
   * What was written before that may still be on its way here.
   */
  readonly readStale: <A>(f: (view: View) => A) => Effect.Effect<StaleRead<A>, RaftError>

  /** The node's present view. */
  readonly status: Effect.Effect<RaftStatus>

  /** The view whenever role, term, leader or membership has changed, beginning with the present. */
  readonly changes: Stream.Stream<RaftStatus>

  /** Who leads, as far as this node knows, beginning with the present. */
  readonly leader: Stream.Stream<NodeId | null>

  /** What a peer told about itself when it connected, such as the URL of its HTTP API; and what this node tells. */
  readonly attributesOf: (nodeId: NodeId) => Readonly<Record<string, string>>

  /** How many callers wait for this node now; for tests of leaks, and for gauges. */
  readonly waiting: Effect.Effect<Waiting>

  /** Where listeners hand in what remote clients ask; see `ClientServer`. */
  readonly entrance: ClientEntrance["Service"]

  /** Never succeeds; fails when the node has stopped by itself: its disk or its machine failed. */
  readonly failure: Effect.Effect<never, RaftError>
}

/** Why a node did not start. */
export type RaftStartError = InvalidOptions | StorageError | TransportError

/**
 * A node that replicates `machine`. Provide a `RaftTransport` and a `RaftStorage`; closing the layer's
 * Scope stops the node and answers everybody who still waits.
 */
export const layer = <Self, Command, Reply, View>(
  machine: StateMachineClass<Self, Command, Reply, View>,
  options: Options
): Layer.Layer<Self, RaftStartError, RaftTransport | RaftStorage> =>
  Layer.effect(
    machine.Raft,
    Effect.gen(function* () {
      const checked = yield* RaftOptions.check(options)
      const node = yield* RaftNode.make({ machine: machine.machine, ...checked })
      const room = yield* WaitingRoom.make(node, { patienceMillis: checked.config.electionTimeoutMillis })
      const news = yield* LeaderNews.make(node.watchers)
      return face(machine, node, { room, news }, checked)
    })
  )

/** Gives an untyped node its typed face. */
const face = <Self, Command, Reply, View>(
  { machine }: StateMachineClass<Self, Command, Reply, View>,
  node: RunningNode<View>,
  waiting: Pick<Entrance.Options<Command, Reply, View>, "room" | "news">,
  { attributes, nodeId, clusterId, groupId, config }: RaftOptions.Checked
): Raft<Command, Reply, View> => {
  /** Has a command applied, and makes its answer. */
  const call = <A>(command: Command, answer: ProposalCalls.Answer<Reply, A>): Effect.Effect<A, RaftError> =>
    Effect.suspend(() => {
      const payload = ProposalCalls.toBytes(machine, config, command)
      return payload instanceof Uint8Array
        ? ProposalCalls.propose(node, { kind: "Command", payload }, answer)
        : Effect.fail(because(payload))
    })

  const decodeReply = machine.reply.decode
  const replyOnly = { decodeReply, of: (_position: Position, reply: Reply) => reply }
  const replyAndPlace = {
    decodeReply,
    of: ({ index, term }: Position, reply: Reply) => ({ index, term, reply })
  }

  const status = (): RaftStatus => {
    const state = node.state()
    return {
      clusterId,
      groupId,
      nodeId,
      role: state.role._tag,
      term: state.currentTerm,
      leader: NodeState.leaderOf(state),
      commitIndex: state.commitIndex,
      appliedIndex: node.appliedIndex(),
      machineVersion: node.machineVersion(),
      lastIndex: state.log.lastIndex,
      membership: state.membership,
      transferTo: NodeState.transferTo(state) ?? null
    }
  }

  const changes: Stream.Stream<RaftStatus> = Stream.unfold(Effect.void, (changed) =>
    Effect.map(changed, () => {
      const next = node.watchers.next
      return node.stopped() === undefined ? ([status(), next] as const) : undefined
    })
  )

  const look = <A>(f: (view: View) => A, consistency: Consistency): Effect.Effect<A, RaftError> =>
    Effect.mapError(
      consistency === "stale"
        ? Effect.suspend(() => {
            const reason = node.stopped()
            return reason === undefined ? Effect.succeed(f(node.view())) : Effect.fail(reason)
          })
        : LocalRead.read(node, f, { mayUseLease: consistency === "lease" }),
      because
    )

  return {
    nodeId,
    propose: (command) => call(command, replyOnly),
    proposeAt: (command) => call(command, replyAndPlace),
    submit: (command) =>
      ProposalCalls.encode(machine, config, command).pipe(
        Effect.flatMap((payload) =>
          LocalProposal.propose(node, { kind: "Command", payload }, LocalProposal.untilAppended)
        ),
        Effect.mapError(because)
      ),
    sessions: SessionCalls.make(node, machine, config),
    committed: ({ from }) => CommittedCommands.from(node, machine.command.decode, from),
    read: (f, options) => look(f, options?.consistency ?? "linearizable"),
    changeMembership: (change) => Effect.mapError(node.changeMembership(change), because),
    snapshot: look(node.snapshot, "linearizable"),
    readStale: (f) =>
      look(
        (view) => ({
          value: f(view),
          index: node.appliedIndex(),
          ageMillis: node.nowMillis() - CheckQuorum.lastContactMillis(node.state(), node.nowMillis())
        }),
        "stale"
      ),
    transferLeadership: (options) => Effect.mapError(node.transferLeadership(options?.to ?? null), because),
    status: Effect.sync(status),
    changes,
    leader: changes.pipe(
      Stream.map((now) => now.leader),
      Stream.changes
    ),
    attributesOf: (id) => (id === nodeId ? attributes : node.attributesOf(id)),
    waiting: Effect.sync(node.waiting),
    entrance: Entrance.make({ machine, node, clusterId, groupId, nodeId, config, ...waiting }),
    failure: node.failure
  }
}
