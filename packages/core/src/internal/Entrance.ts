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
import type { AwaitLeaderRequest, ClientAnswer, ClientRequest, QueryRequest } from "../ClientMessage.ts"
import * as NodeState from "../consensus/NodeState.ts"
import type { ProposalKind } from "../LogEntry.ts"
import type { ClusterId, GroupId, NodeId } from "../NodeId.ts"
import type { RaftConfig } from "../RaftConfig.ts"
import { InvalidQuery, Overloaded } from "../RaftError.ts"
import type { RaftErrorReason } from "../RaftError.ts"
import type { RunningNode } from "./RunningNode.ts"
import * as SessionAnswer from "../sessions/SessionAnswer.ts"
import type { StateMachine } from "../StateMachine.ts"
import type { LeaderNews, Question } from "./LeaderNews.ts"
import { proposalOf, RemoteProposal } from "./RemoteProposal.ts"
import type { Commanding, ProposingVisit } from "./RemoteProposal.ts"
import { RemoteRead } from "./RemoteRead.ts"
import type { AskingVisit } from "./RemoteRead.ts"
import type { Guest, WaitingRoom } from "./WaitingRoom.ts"

/** The attribute under which a node tells its peers where it listens for clients. */
export const clientAttribute = "client"

export interface Options<Command, Reply, View> {
  readonly machine: StateMachine<Command, Reply, View>
  readonly node: RunningNode<View>
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

class VisitOfNode<Command, Reply, View> implements Visit, ProposingVisit, AskingVisit {
  private readonly options: Options<Command, Reply, View>
  private readonly visitor: VisitOptions
  private readonly leaderPlace: () => LeaderPlace | undefined
  /** Those that wait for a quorum round. */
  readonly reads = new Set<RemoteRead>()
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
    if (toConfirm.length > 0) new RemoteRead(this, this.options.node, toConfirm).begin()
  }

  end(): void {
    this.hasEnded = true
    for (const read of this.reads) read.forget()
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
    if (reason === undefined) this.answer(this.look(request))
    else this.failed(request.id, reason)
  }

  readonly look = ({ id, query }: QueryRequest): ClientAnswer => {
    const { machine, node } = this.options
    if (machine.ask === undefined) {
      return notAsked(id, new InvalidQuery({ detail: `${machine.name} answers no queries` }))
    }
    try {
      return { _tag: "Done", id, bytes: machine.ask(node.view(), query) }
    } catch (cause) {
      return notAsked(id, new InvalidQuery({ detail: (cause as Error).message }))
    }
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
    this.answer({ _tag: "Done", id, bytes })
  }

  answer(answer: ClientAnswer): void {
    this.inFlight -= 1
    if (!this.hasEnded) this.visitor.answer(answer)
  }

  failed(id: number, reason: RaftErrorReason): void {
    this.inFlight -= 1
    if (this.hasEnded) return
    const leaderAt = reason._tag === "NotLeader" ? (this.leaderPlace()?.at ?? null) : null
    this.visitor.answer({ _tag: "Failed", id, reason, leaderAt })
  }
}

const utf8 = new TextEncoder()

const notAsked = (id: number, reason: InvalidQuery): ClientAnswer => ({
  _tag: "Failed",
  id,
  reason,
  leaderAt: null
})
