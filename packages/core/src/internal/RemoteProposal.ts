/**
 * What a remote client brings into the log: whether it may, and the place where it waits for its answer.
 */
import type { AwaitLeaderRequest, ClientRequest, QueryRequest } from "../ClientMessage.ts"
import type { ProposalKind } from "../LogEntry.ts"
import type { RaftConfig } from "../RaftConfig.ts"
import { CommandTooLarge, InvalidCommand, NotLeader } from "../RaftError.ts"
import type { RaftErrorReason } from "../RaftError.ts"
import * as SessionRecord from "../sessions/SessionRecord.ts"
import type { BinaryCodec } from "../StateMachine.ts"
import type { Proposal } from "./LocalProposal.ts"
import type { Position, ProposalSlot } from "./ReplySlots.ts"
import * as SessionCalls from "./SessionCalls.ts"
import type { Guest } from "./WaitingRoom.ts"

/** Requests that become entries of the log. */
export type Commanding = Exclude<ClientRequest, QueryRequest | AwaitLeaderRequest>

/** What a client may bring into the log. */
export interface Admitted extends Proposal {
  readonly kind: ProposalKind
}

/**
 * What goes into the log for a request, or why nothing does. What no node could read must not get there:
 * every node would stop at it.
 */
export const proposalOf = (
  request: Commanding,
  config: RaftConfig,
  codec: Reads
): Admitted | RaftErrorReason => {
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

/** The visit of the client that proposed. */
export interface ProposingVisit {
  readonly waits: (guest: Guest, reason: RaftErrorReason) => boolean
  readonly isOver: boolean
  readonly applied: (id: number, kind: ProposalKind, reply: unknown) => void
  readonly failed: (id: number, reason: RaftErrorReason) => void
}

/** The place of a remote client's command. */
export class RemoteProposal implements ProposalSlot, Guest {
  readonly kind: ProposalKind
  readonly payload: Uint8Array
  waitsSinceMillis: number | undefined = undefined
  private readonly id: number
  private readonly visit: ProposingVisit
  private readonly propose: (slot: ProposalSlot) => void

  constructor(
    visit: ProposingVisit,
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
