/**
 * The public face: what a program does with a replicated state machine.
 *
 * A {@link Raft} is one node's handle on its group. `propose` and `read` are what most programs need;
 * `submit` and `committed` are the labs' `Start` and `applyCh`; `status`, `leader` and `changes` tell
 * what the node is doing.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as CheckQuorum from "./consensus/CheckQuorum.ts"
import * as NodeState from "./consensus/NodeState.ts"
import * as RaftLog from "./consensus/RaftLog.ts"
import type { ClientEntrance } from "./ClientEntrance.ts"
import * as Entrance from "./internal/Entrance.ts"
import * as LocalProposal from "./internal/LocalProposal.ts"
import * as LocalRead from "./internal/LocalRead.ts"
import * as ProposalCalls from "./internal/ProposalCalls.ts"
import * as SessionCalls from "./internal/SessionCalls.ts"
import * as LeaderNews from "./internal/LeaderNews.ts"
import * as WaitingRoom from "./internal/WaitingRoom.ts"
import * as LogEntry from "./LogEntry.ts"
import * as LogIndexModule from "./LogIndex.ts"
import { LogIndex } from "./LogIndex.ts"
import { Membership, none, ofVoters } from "./Membership.ts"
import type { MembershipChange } from "./MembershipChange.ts"
import type { PeerAddress } from "./Membership.ts"
import { ClusterId, GroupId, NodeId } from "./NodeId.ts"
import { RaftConfig } from "./RaftConfig.ts"
import { because, Compacted, RaftError } from "./RaftError.ts"
import * as RaftNode from "./RaftNode.ts"
import type { RaftStorage, StorageError } from "./RaftStorage.ts"
import type { RaftTransport, TransportError } from "./RaftTransport.ts"
import type { SessionId } from "./SessionId.ts"
import type { SessionOperations } from "./sessions/SessionOperations.ts"
import * as SessionRecord from "./sessions/SessionRecord.ts"
import type { MachineSnapshot } from "./Snapshot.ts"
import type { StateMachineClass } from "./StateMachine.ts"
import { Term } from "./Term.ts"

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

/** What a node is doing (paper, figure 4; `PreCandidate` is of the thesis, section 9.6). */
export const Role = Schema.Literals(["Follower", "PreCandidate", "Candidate", "Leader"])
export type Role = typeof Role.Type

/** A node's own view of itself and its group. */
export const RaftStatus = Schema.Struct({
  clusterId: ClusterId,
  groupId: GroupId,
  nodeId: NodeId,
  role: Role,
  term: Term,
  leader: Schema.NullOr(NodeId),
  commitIndex: LogIndex,
  appliedIndex: LogIndex,
  /**
   * The version of the machine that the group runs, as far as this node has applied the log. Commands that
   * older programs cannot read may be proposed once it is high enough.
   */
  machineVersion: Schema.Natural,
  lastIndex: LogIndex,
  /** Voters, learners, and while two sets must agree the outgoing one. In force, committed or not. */
  membership: Membership,
  /** At a leader that hands over: to whom. */
  transferTo: Schema.NullOr(NodeId)
})
export type RaftStatus = typeof RaftStatus.Type

/** Where a command stands in the log. */
export interface Position {
  readonly index: LogIndex
  readonly term: Term
}

/** One committed command, as `committed` delivers it. */
export interface Committed<Command> extends Position {
  readonly command: Command
  readonly timestampMillis: number
  /**
   * Where it came through a session. The log may then hold it more than once, by the same number, and the
   * machine has applied at most the first of them.
   */
  readonly session?: SessionId & { readonly sequence: number }
}

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
  readonly waiting: Effect.Effect<RaftNode.Waiting>

  /** Where listeners hand in what remote clients ask; see `ClientServer`. */
  readonly entrance: ClientEntrance["Service"]

  /** Never succeeds; fails when the node has stopped by itself: its disk or its machine failed. */
  readonly failure: Effect.Effect<never, RaftError>
}

/** The options of a node do not fit together. Nothing was started. */
export class InvalidOptions extends Schema.TaggedError<InvalidOptions>()("InvalidOptions", {
  option: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `${this.option}: ${this.detail}`
  }
}

/** Why a node did not start. */
export type RaftStartError = InvalidOptions | StorageError | TransportError

/** What {@link layer} needs to know of a node. */
export interface Options {
  /** Must be one of `members`, unless the node is to join. */
  readonly nodeId: string
  /**
   * The voters with which the cluster begins, by name, with the address at which its peers reach each. The
   * same on every node. Once the membership has been changed the log says who belongs, and this is ignored.
   */
  readonly members?: Readonly<Record<string, PeerAddress>>
  /**
   * Instead of `members`: this node belongs to no cluster yet. It waits until the leader of one, where it
   * was added by `changeMembership`, sends it the log; until then it serves nobody and never campaigns.
   */
  readonly join?: boolean
  /** Nodes of different clusters refuse each other. "effect-raft" by default. */
  readonly clusterId?: string
  /** For several groups on one transport. "default" by default. */
  readonly groupId?: string
  readonly config?: (typeof RaftConfig)["~type.make.in"]
  /** Facts about this node that its peers may want to know, such as the URL of its HTTP API. */
  readonly attributes?: Readonly<Record<string, string>>
}

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
      const checked = yield* check(options)
      const node = yield* RaftNode.make({ machine: machine.machine, ...checked })
      const room = yield* WaitingRoom.make(node, { patienceMillis: checked.config.electionTimeoutMillis })
      const news = yield* LeaderNews.make(node.watchers)
      return face(machine, node, { room, news }, checked)
    })
  )

type Checked = Omit<RaftNode.Options<never, never, never>, "machine">

const check = (options: Options): Effect.Effect<Checked, InvalidOptions> =>
  Effect.gen(function* () {
    const nodeId = yield* decode("nodeId", NodeId, options.nodeId)
    const config = yield* Effect.try({
      try: () => new RaftConfig(options.config ?? {}),
      catch: (cause) => new InvalidOptions({ option: "config", detail: (cause as Error).message })
    })
    return {
      nodeId,
      clusterId: yield* decode("clusterId", ClusterId, options.clusterId ?? "effect-raft"),
      groupId: yield* decode("groupId", GroupId, options.groupId ?? "default"),
      membership: yield* foundersOf(options, nodeId),
      config,
      attributes: options.attributes ?? {}
    }
  })

/** Who belongs to a cluster that begins: nobody, for a node that is to join one. */
const foundersOf = (options: Options, nodeId: NodeId): Effect.Effect<Membership, InvalidOptions> =>
  Effect.gen(function* () {
    const members = options.members ?? {}
    const names = Object.keys(members)
    const wrong = (detail: string) => new InvalidOptions({ option: "members", detail })
    if (options.join === true && names.length > 0)
      return yield* wrong("a node that is to join (join: true) names no members; it learns of them")
    if (options.join === true) return none
    if (names.length === 0)
      return yield* wrong("name the members, or say that this node is to join (join: true)")
    for (const name of names) yield* decode("members", NodeId, name)
    if (!names.includes(nodeId)) return yield* wrong(`${nodeId} is not one of them (${names.join(", ")})`)
    return ofVoters(members)
  })

const decode = <A>(option: string, schema: Schema.ConstraintDecoder<A>, value: string) =>
  Effect.mapError(
    Schema.decodeUnknownEffect(schema)(value),
    (error) => new InvalidOptions({ option, detail: `"${value}" is no good: ${error.message}` })
  )

/** Gives an untyped node its typed face. */
const face = <Self, Command, Reply, View>(
  { machine }: StateMachineClass<Self, Command, Reply, View>,
  node: RaftNode.RaftNode<View>,
  waiting: Pick<Entrance.Options<Command, Reply, View>, "room" | "news">,
  { attributes, nodeId, clusterId, groupId, config }: Checked
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
    committed: ({ from }) => committedFrom(node, machine.command.decode, from),
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

/** Entries that one pull of `committed` gives at most. */
const pullSize = 512

const committedFrom = <View, Command>(
  node: RaftNode.RaftNode<View>,
  decodeCommand: (payload: Uint8Array) => Command,
  from: LogIndex
): Stream.Stream<Committed<Command>, RaftError> =>
  Stream.unfold(LogIndexModule.max(from, LogIndexModule.plus(LogIndexModule.zero, 1)), (next) =>
    Effect.gen(function* () {
      const log = yield* node.appliedBeyond(LogIndexModule.plus(next, -1))
      if (next <= log.base.index) {
        const firstHeld = LogIndexModule.plus(log.base.index, 1)
        return yield* new RaftError({ reason: new Compacted({ requested: next, firstHeld }) })
      }
      const last = LogIndexModule.min(node.appliedIndex(), LogIndexModule.plus(next, pullSize - 1))
      const commands: Array<Committed<Command>> = []
      for (const block of RaftLog.blocksBetween(log, next, last)) {
        for (const entry of LogEntry.entries(block)) {
          const command = commandOf(entry, decodeCommand)
          if (command !== undefined) commands.push(command)
        }
      }
      return [commands, LogIndexModule.plus(last, 1)] as const
    })
  ).pipe(Stream.flattenIterable)

/** The command of an entry; `undefined` for an entry that has none. */
const commandOf = <Command>(
  { index, kind, payload, term, timestampMillis }: LogEntry.LogEntry,
  decodeCommand: (payload: Uint8Array) => Command
): Committed<Command> | undefined => {
  if (kind === "Command") return { index, term, timestampMillis, command: decodeCommand(payload) }
  const record = kind === "Session" ? SessionRecord.decode(payload) : undefined
  if (record?._tag !== "Command") return undefined
  const session = { ...record.session, sequence: record.sequence }
  return { index, term, timestampMillis, command: decodeCommand(record.command), session }
}
