/**
 * Linearizable queries of one batch of a remote client: one wait for all of them, which is allowed because each of
 * them began before the round that confirms it (thesis, section 6.4).
 */
import type { ClientAnswer, QueryRequest } from "../ClientMessage.ts"
import type * as LogIndex from "../LogIndex.ts"
import type { RaftErrorReason } from "../RaftError.ts"
import type { RunningNode } from "./RunningNode.ts"
import type { ReadWait } from "./ReadSlots.ts"
import type { Guest } from "./WaitingRoom.ts"

/** The visit of the client that asks. */
export interface AskingVisit {
  /** Looks at the state as it is now. */
  readonly look: (request: QueryRequest) => ClientAnswer
  readonly answer: (answer: ClientAnswer) => void
  readonly failed: (id: number, reason: RaftErrorReason) => void
  readonly waits: (guest: Guest, reason: RaftErrorReason) => boolean
  /** The client has gone: nobody wants its answers. */
  readonly isOver: boolean
  /** The wait has begun, or is over. */
  readonly reads: Set<RemoteRead>
}

/** What was seen while the round was under way. */
interface Seen {
  /** All that was applied then. */
  readonly appliedIndex: LogIndex.LogIndex
  readonly answers: ReadonlyArray<ClientAnswer>
}

export class RemoteRead implements ReadWait, Guest {
  waitsSinceMillis: number | undefined = undefined
  private readonly visit: AskingVisit
  private readonly node: Pick<RunningNode<unknown>, "appliedIndex" | "forgetRead" | "read">
  private readonly requests: ReadonlyArray<QueryRequest>
  private readId: number | undefined
  private isOver = false
  private seen: Seen | undefined
  private refusal: RaftErrorReason | undefined

  constructor(
    visit: AskingVisit,
    node: Pick<RunningNode<unknown>, "appliedIndex" | "forgetRead" | "read">,
    requests: ReadonlyArray<QueryRequest>
  ) {
    this.visit = visit
    this.node = node
    this.requests = requests
  }

  begin(): void {
    this.isOver = false
    this.readId = this.node.read(this)
    // A node that refuses on the spot has done so before it gave the number.
    if (!this.isOver) this.visit.reads.add(this)
  }

  /** The client has gone. */
  forget(): void {
    if (this.readId !== undefined) this.node.forgetRead(this.readId)
  }

  // --- the wait ---------------------------------------------------------------------------------------

  lookEarly(): void {
    this.seen = { appliedIndex: this.node.appliedIndex(), answers: this.requests.map(this.visit.look) }
  }

  confirmed(readIndex: LogIndex.LogIndex): void {
    this.end()
    const { requests, seen, visit } = this
    const isEnough = seen !== undefined && seen.appliedIndex >= readIndex
    for (const answer of isEnough ? seen.answers : requests.map(visit.look)) visit.answer(answer)
  }

  refused(reason: RaftErrorReason): void {
    this.end()
    this.seen = undefined
    this.refusal = reason
    if (!this.visit.waits(this, reason)) this.giveUp()
  }

  private end(): void {
    this.isOver = true
    this.visit.reads.delete(this)
  }

  // --- while nobody leads -----------------------------------------------------------------------------

  again(): void {
    // Who has left while nobody led was in no set of reads, from which it could be forgotten.
    if (!this.visit.isOver) this.begin()
  }

  giveUp(): void {
    const { refusal } = this
    if (refusal !== undefined) for (const { id } of this.requests) this.visit.failed(id, refusal)
  }
}
