/**
 * Carries out what remote clients ask of a node.
 *
 * A batch of one connection goes to the actor without a fiber for each request: a proposal is a slot
 * whose owner writes the answer, and all linearizable queries of a batch wait for one quorum round
 * together, which is allowed because each of them began before that round (thesis, section 6.4).
 *
 * Nothing is passed on from here: who asks a node that is not the leader is told who is, and waits a little
 * while nobody is (see WaitingRoom). A client that
 * leaves takes nothing with it: its commands stay where they are, and their slots are freed when they are
 * applied, or when the leader loses its office.
 */
import type { ClientEntrance, Visit, VisitOptions } from "../ClientEntrance.ts"
import type { AwaitLeaderRequest, ClientRequest, QueryRequest } from "../ClientMessage.ts"
import * as NodeState from "../consensus/NodeState.ts"
import type { ProposalKind } from "../LogEntry.ts"
import type { ClusterId, GroupId, NodeId } from "../NodeId.ts"
import type { RaftConfig } from "../RaftConfig.ts"
import { CommandTooLarge, InvalidCommand, InvalidQuery, NotLeader, Overloaded } from "../RaftError.ts"
import type { RaftErrorReason } from "../RaftError.ts"
import type { RaftNode } from "../RaftNode.ts"
import * as SessionAnswer from "../sessions/SessionAnswer.ts"
import * as SessionRecord from "../sessions/SessionRecord.ts"
import type { BinaryCodec, StateMachine } from "../StateMachine.ts"
import type { LeaderNews, Question } from "./LeaderNews.ts"
import type { Proposal } from "./LocalProposal.ts"
import type { Position, ProposalSlot } from "./ReplySlots.ts"
import * as SessionCalls from "./SessionCalls.ts"
import type { Guest, WaitingRoom } from "./WaitingRoom.ts"

/** The attribute under which a node tells its peers where it listens for clients. */
export const clientAttribute = "client"

export interface Options<Command, Reply, View> {
  readonly machine: StateMachine<Command, Reply, View>
  readonly node: RaftNode<View>
  readonly clusterId: ClusterId
  readonly groupId: GroupId
  readonly nodeId: NodeId
  readonly config: RaftConfig
  /** Where requests wait while nobody leads. */
  readonly room: WaitingRoom
  /** Where clients wait to hear of another leader. */
  readonly news: LeaderNews
}

/** Where the leader of whom a node knows listens for clients: at another node, or here. */
interface LeaderPlace {
  readonly leader: NodeId
  /** `null` for the node itself. */
  readonly at: string | null
}

export const make = <Command, Reply, View>(
  options: Options<Command, Reply, View>
): ClientEntrance["Service"] => {
  const { clusterId, config, groupId, node, nodeId, room } = options
  const leaderPlace = (): LeaderPlace | undefined => {
    const leader = room.isOpen() ? null : NodeState.leaderOf(node.state())
    if (leader === null) return undefined
    if (leader === nodeId) return { leader, at: null }
    const at = node.attributesOf(leader)[clientAttribute]
    return at === undefined ? undefined : { leader, at }
  }
  return {
    welcome: () => ({
      clusterId,
      groupId,
      nodeId,
      maxInFlight: config.maxClientRequests,
      leaderAt: leaderPlace()?.at ?? null
    }),
    admit: (visit) => new VisitOfNode(options, visit, leaderPlace)
  }
}

class VisitOfNode<Command, Reply, View> implements Visit {
  private readonly options: Options<Command, Reply, View>
  private readonly visitor: VisitOptions
  private readonly leaderPlace: () => LeaderPlace | undefined
  /** Waits for a quorum round that are under way. */
  private readonly reads = new Set<number>()
  private readonly questions = new Set<Question>()
  private inFlight = 0
  private hasEnded = false

  constructor(
    options: Options<Command, Reply, View>,
    visitor: VisitOptions,
    leaderPlace: () => LeaderPlace | undefined
  ) {
    this.options = options
    this.visitor = visitor
    this.leaderPlace = leaderPlace
  }

  take(requests: ReadonlyArray<ClientRequest>): void {
    const { maxClientRequests } = this.options.config
    const toConfirm: Array<QueryRequest> = []
    for (const request of requests) {
      this.inFlight += 1
      if (this.inFlight > maxClientRequests) {
        this.failed(request.id, new Overloaded({ bound: "maxClientRequests", limit: maxClientRequests }))
      } else if (request._tag === "AwaitLeader") {
        this.awaitLeader(request)
      } else if (request._tag !== "Query") {
        this.propose(request)
      } else if (request.consistency === "stale") {
        this.answerStale(request)
      } else {
        toConfirm.push(request)
      }
    }
    if (toConfirm.length > 0) this.confirm(toConfirm)
  }

  end(): void {
    this.hasEnded = true
    for (const readId of this.reads) this.options.node.forgetRead(readId)
    this.reads.clear()
    for (const question of this.questions) this.options.news.forget(question)
    this.questions.clear()
  }

  // --- commands ---------------------------------------------------------------------------------------

  private propose(request: Commanding): void {
    const { config, machine, node } = this.options
    const proposal = proposalOf(request, config, machine.command)
    if ("_tag" in proposal) this.failed(request.id, proposal)
    else node.propose(new RemoteProposal(this, node.propose, request.id, proposal))
  }

  get isOver(): boolean {
    return this.hasEnded
  }

  applied(id: number, kind: ProposalKind, reply: unknown): void {
    if (this.hasEnded) return
    this.done(
      id,
      kind === "Session"
        ? SessionAnswer.encode(reply as SessionAnswer.SessionAnswer)
        : this.options.machine.reply.encode(reply as Reply)
    )
  }

  // --- queries ----------------------------------------------------------------------------------------

  private answerStale(request: QueryRequest): void {
    const reason = this.options.node.stopped()
    if (reason === undefined) this.look(request)
    else this.failed(request.id, reason)
  }

  private confirm(requests: ReadonlyArray<QueryRequest>, waitsSinceMillis?: number): void {
    const wait = { readId: -1, isOver: false }
    wait.readId = this.options.node.read((refusal) => {
      wait.isOver = true
      this.reads.delete(wait.readId)
      if (refusal !== undefined) this.unconfirmed(requests, refusal, waitsSinceMillis)
      else for (const request of requests) this.look(request)
    })
    // A node that refuses on the spot has done so before it gave the number.
    if (!wait.isOver) this.reads.add(wait.readId)
  }

  private unconfirmed(
    requests: ReadonlyArray<QueryRequest>,
    reason: RaftErrorReason,
    waitsSinceMillis: number | undefined
  ): void {
    const giveUp = () => {
      for (const { id } of requests) this.failed(id, reason)
    }
    const guest: Guest = {
      waitsSinceMillis,
      again: () => this.confirm(requests, guest.waitsSinceMillis),
      giveUp
    }
    if (!this.waits(guest, reason)) giveUp()
  }

  private look({ id, query }: QueryRequest): void {
    const { machine, node } = this.options
    if (machine.ask === undefined) {
      return this.failed(id, new InvalidQuery({ detail: `${machine.name} answers no queries` }))
    }
    let bytes: Uint8Array
    try {
      bytes = machine.ask(node.view(), query)
    } catch (cause) {
      return this.failed(id, new InvalidQuery({ detail: (cause as Error).message }))
    }
    this.done(id, bytes)
  }

  /** Whether a request that was refused for this reason waits for a leader. */
  waits(guest: Guest, reason: RaftErrorReason): boolean {
    const { room } = this.options
    return !this.hasEnded && reason._tag === "NotLeader" && room.isOpen() && room.admit(guest)
  }

  // --- who leads --------------------------------------------------------------------------------------

  private awaitLeader({ id, otherThan }: AwaitLeaderRequest): void {
    const question = (): boolean => {
      const place = this.leaderPlace()
      if (place === undefined || place.leader === otherThan) return false
      this.questions.delete(question)
      this.done(id, utf8.encode(place.at ?? ""))
      return true
    }
    this.questions.add(question)
    this.options.news.ask(question)
  }

  // --- answers ----------------------------------------------------------------------------------------

  private done(id: number, bytes: Uint8Array): void {
    this.inFlight -= 1
    this.visitor.answer({ _tag: "Done", id, bytes })
  }

  failed(id: number, reason: RaftErrorReason): void {
    this.inFlight -= 1
    if (this.hasEnded) return
    const leaderAt = reason._tag === "NotLeader" ? (this.leaderPlace()?.at ?? null) : null
    this.visitor.answer({ _tag: "Failed", id, reason, leaderAt })
  }
}

const utf8 = new TextEncoder()

/** Requests that become entries of the log. */
type Commanding = Exclude<ClientRequest, QueryRequest | AwaitLeaderRequest>

/** What a client may bring into the log. */
interface Admitted extends Proposal {
  readonly kind: ProposalKind
}

/**
 * What goes into the log for a request, or why nothing does. What no node could read must not get there:
 * every node would stop at it.
 */
const proposalOf = (request: Commanding, config: RaftConfig, codec: Reads): Admitted | RaftErrorReason => {
  switch (request._tag) {
    case "OpenSession":
      return { kind: "Session", payload: SessionRecord.encode(SessionCalls.openRecord(config)) }
    case "Propose": {
      const { command } = request
      return problemOf(command, config, codec) ?? { kind: "Command", payload: command }
    }
    case "Session": {
      const { record } = request
      const detail = SessionRecord.problemOf(record)
      if (detail !== undefined) return new InvalidCommand({ detail })
      const told = SessionRecord.decode(record)
      if (told._tag === "Open")
        return new InvalidCommand({ detail: "a client does not set the limits of its session" })
      const problem = told._tag === "Command" ? problemOf(told.command, config, codec) : undefined
      return problem ?? { kind: "Session", payload: record }
    }
  }
}

type Reads = Pick<BinaryCodec<unknown>, "decode">

const problemOf = (
  command: Uint8Array,
  { maxCommandBytes: maxBytes }: RaftConfig,
  { decode }: Reads
): RaftErrorReason | undefined => {
  if (command.byteLength > maxBytes) return new CommandTooLarge({ bytes: command.byteLength, maxBytes })
  try {
    decode(command)
    return undefined
  } catch (cause) {
    return new InvalidCommand({ detail: (cause as Error).message })
  }
}

/** The place of a remote client's command. */
class RemoteProposal implements ProposalSlot, Guest {
  readonly kind: ProposalKind
  readonly payload: Uint8Array
  waitsSinceMillis: number | undefined = undefined
  private readonly id: number
  private readonly visit: AnswersProposals
  private readonly propose: (slot: ProposalSlot) => void

  constructor(
    visit: AnswersProposals,
    propose: (slot: ProposalSlot) => void,
    id: number,
    { kind, payload }: Admitted
  ) {
    this.visit = visit
    this.propose = propose
    this.id = id
    this.kind = kind
    this.payload = payload
  }

  isAbandoned(): boolean {
    return this.visit.isOver
  }

  onAppended(): boolean {
    return this.visit.isOver
  }

  onApplied(_position: Position, reply: unknown): void {
    this.visit.applied(this.id, this.kind, reply)
  }

  onFailed(reason: RaftErrorReason): void {
    if (!this.visit.waits(this, reason)) this.visit.failed(this.id, reason)
  }

  again(): void {
    this.propose(this)
  }

  giveUp(): void {
    this.visit.failed(this.id, new NotLeader({ leader: null }))
  }
}

interface AnswersProposals {
  readonly waits: (guest: Guest, reason: RaftErrorReason) => boolean
  readonly isOver: boolean
  readonly applied: (id: number, kind: ProposalKind, reply: unknown) => void
  readonly failed: (id: number, reason: RaftErrorReason) => void
}
