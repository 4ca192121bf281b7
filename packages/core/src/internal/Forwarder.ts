/**
 * Passing commands on: a node that is not the leader sends its clients' commands to the one that is, and
 * tells them what became of them.
 *
 * This is a convenience around consensus, not a part of it: the leader treats a forwarded command like
 * one of its own clients'. A lost question and a lost answer look the same from here, so a call that
 * hears nothing ends in `OutcomeUnknown`.
 */
import * as Effect from "effect/Effect"
import type { ProposalKind } from "../LogEntry.ts"
import type { NodeId } from "../NodeId.ts"
import { OutcomeUnknown, RaftError } from "../RaftError.ts"
import type { RaftErrorReason } from "../RaftError.ts"
import type { ForwardOutcome, ForwardProposals, ForwardReply, RaftMessage } from "../RaftMessage.ts"
import * as SessionRecord from "../sessions/SessionRecord.ts"
import type { Term } from "../Term.ts"
import type { Admission } from "./Admission.ts"
import type { ClientProposal } from "./LocalProposal.ts"
import { Numbered } from "./Numbered.ts"
import type { ProposalSlot } from "./ReplySlots.ts"

export interface Forwarder {
  /** Sends a command to `leader`; ends with the leader's word, or without it when it is given up. */
  readonly forward: (
    leader: NodeId,
    proposal: ClientProposal
  ) => Effect.Effect<ForwardOutcome, OutcomeUnknown>
  readonly onMessage: (from: NodeId, message: Forwarding) => void
  /** Gives up what was sent at `sinceMillis` or before and is not answered. */
  readonly expire: (sinceMillis: number) => void
  /** When the first of those that still wait was sent. */
  readonly oldestMillis: () => number | undefined
  /** The peer may be dead: what was sent to it and not answered is unknown. */
  readonly onPeerLost: (peer: NodeId) => void
  readonly failAll: () => void
  /** Commands that wait for the leader's word. */
  readonly size: () => number
}

/** A message that is not consensus' business, but this one's. */
export type Forwarding = ForwardProposals | ForwardReply

export const isForwarding = (message: RaftMessage): message is Forwarding =>
  message._tag === "ForwardProposals" || message._tag === "ForwardReply"

interface Waiting {
  readonly leader: NodeId
  readonly sentMillis: number
  readonly tell: (outcome: Effect.Effect<ForwardOutcome, OutcomeUnknown>) => void
}

export const make = (options: {
  readonly nowMillis: () => number
  readonly firstRequestId: number
  readonly admission: Admission
  readonly currentTerm: () => Term
  readonly isLeader: () => boolean
  readonly encodeReply: (kind: ProposalKind, reply: unknown) => Uint8Array
  readonly propose: (slot: ProposalSlot) => void
  readonly send: (to: NodeId, message: RaftMessage) => boolean
}): Forwarder => {
  const waiting = new Numbered<Waiting>(options.firstRequestId)

  const forward = (leader: NodeId, { kind, payload }: ClientProposal) =>
    Effect.callback<ForwardOutcome, OutcomeUnknown>((tell) => {
      // Before it is sent: in one process the answer may come while `send` still runs.
      const requestId = waiting.add({ leader, sentMillis: options.nowMillis(), tell })
      const request: ForwardProposals = {
        _tag: "ForwardProposals",
        term: options.currentTerm(),
        requestIds: [requestId],
        kinds: [kind],
        commands: [payload]
      }
      if (!options.send(leader, request)) {
        // A message that was dropped here was never sent: the command surely did not happen.
        waiting.take(requestId)
        tell(Effect.succeed(refused(null)))
      }
      return Effect.sync(() => void waiting.take(requestId))
    })

  const onReply = (reply: ForwardReply): void => {
    for (const { requestId, outcome } of reply.outcomes) {
      waiting.take(requestId)?.tell(Effect.succeed(outcome))
    }
  }

  const onRequest = (from: NodeId, request: ForwardProposals): void => {
    const { term } = request
    request.commands.forEach((payload, i) => {
      const [requestId, kind] = [request.requestIds[i], request.kinds[i]]
      if (requestId === undefined || kind === undefined) return
      const tell = (outcome: ForwardOutcome) => {
        options.send(from, {
          _tag: "ForwardReply",
          term: options.currentTerm(),
          outcomes: [{ requestId, outcome }]
        })
      }
      const [currentTerm, isLeader] = [options.currentTerm(), options.isLeader()]
      const verdict = options.admission.judge({ from, requestId, term, currentTerm, isLeader })
      if (verdict === "Refuse") return tell(refused(null))
      if (verdict === "Ignore") return
      if (isForeign({ kind, payload })) tell({ _tag: "Refused", reason: "InvalidCommand", leader: null })
      else options.propose(remoteSlot({ kind, payload }, options.encodeReply, tell))
    })
  }

  const giveUp = ({ leader, tell }: Waiting): void => tell(Effect.fail(noAnswer(leader)))

  return {
    forward,
    // They stand in the order in which they were sent.
    expire: (sinceMillis) => waiting.takeWhile(({ sentMillis }) => sentMillis <= sinceMillis).forEach(giveUp),
    oldestMillis: () => waiting.oldest()?.sentMillis,
    onMessage: (from, message) => {
      if (message._tag === "ForwardReply") onReply(message)
      else onRequest(from, message)
    },
    onPeerLost: (peer) => waiting.takeWhere(({ leader }) => leader === peer).forEach(giveUp),
    failAll: () => waiting.takeWhile(() => true).forEach(giveUp),
    size: () => waiting.size
  }
}

/** From a newer program, of which this one, and others like it, could not make anything in their logs. */
const isForeign = ({ kind, payload }: ClientProposal): boolean =>
  kind === "Session" && SessionRecord.problemOf(payload) !== undefined

/** The place of a command that another node passed on. */
const remoteSlot = (
  { kind, payload }: ClientProposal,
  encodeReply: (kind: ProposalKind, reply: unknown) => Uint8Array,
  tell: (outcome: ForwardOutcome) => void
): ProposalSlot => ({
  kind,
  payload,
  isAbandoned: () => false,
  onAppended: () => false,
  onApplied: ({ index, term }, reply) =>
    tell({ _tag: "Applied", index, term, reply: encodeReply(kind, reply) }),
  onFailed: (reason) => {
    const outcome = toOutcome(reason)
    if (outcome !== undefined) tell(outcome)
  }
})

/** Nothing is said of a command that may have happened, nobody knows where: silence means unknown. */
const toOutcome = (reason: RaftErrorReason): ForwardOutcome | undefined => {
  if (reason._tag === "OutcomeUnknown" && reason.index !== undefined && reason.term !== undefined) {
    return { _tag: "Unknown", index: reason.index, term: reason.term }
  }
  if (new RaftError({ reason }).outcome === "unknown") return undefined
  return { _tag: "Refused", reason: reason._tag, leader: reason._tag === "NotLeader" ? reason.leader : null }
}

const refused = (leader: NodeId | null): ForwardOutcome => ({ _tag: "Refused", reason: "NotLeader", leader })

const noAnswer = (leader: NodeId) =>
  new OutcomeUnknown({ detail: `the command was passed on to ${leader}, which did not answer` })
