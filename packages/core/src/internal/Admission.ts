/**
 * Which forwarded commands this node has taken, so that a message that arrives twice is not taken twice.
 *
 * A command is taken only by the leader of the very term that the message names. A node leads a term at
 * most once, and never again after a restart, so what it has to remember lives as long as it does.
 * "Refused" lets the sender try again elsewhere; it may be said only where it is certain that an earlier
 * copy was not taken. Where that is not certain nothing is said, and the sender's wait ends in
 * `OutcomeUnknown`.
 */
import type { NodeId } from "../NodeId.ts"
import type { Term } from "../Term.ts"

export type Verdict =
  /** New, and this node may take it. */
  | "Take"
  /** Certainly never taken here. */
  | "Refuse"
  /** A copy, or too old to tell. */
  | "Ignore"

/** Ids remembered for each sender and term that came out of turn. An older one counts as a copy. */
const windowSize = 100_000

/** Terms of office that are remembered. */
const remembered = 4

export class Admission {
  private readonly taken = new Map<Term, Map<NodeId, TakenIds>>()
  /** Of this term and earlier ones nothing is known: it may have led them, and taken anything. */
  private forgottenUpTo: Term

  /** `bornIn` is the term in which the process started. */
  constructor(bornIn: Term) {
    this.forgottenUpTo = bornIn
  }

  /** Judges one command; one that may be taken counts as taken from now on. */
  judge(request: {
    readonly from: NodeId
    readonly requestId: number
    readonly term: Term
    readonly currentTerm: Term
    readonly isLeader: boolean
  }): Verdict {
    const { from, requestId, term } = request
    if (term <= this.forgottenUpTo) return "Ignore"
    if (this.taken.get(term)?.get(from)?.has(requestId) === true) return "Ignore"
    if (!request.isLeader || term !== request.currentTerm) return "Refuse"
    this.idsOf(term, from).add(requestId)
    return "Take"
  }

  private idsOf(term: Term, from: NodeId): TakenIds {
    let bySender = this.taken.get(term)
    if (bySender === undefined) {
      bySender = new Map()
      this.taken.set(term, bySender)
      this.forget()
    }
    let ids = bySender.get(from)
    if (ids === undefined) bySender.set(from, (ids = new TakenIds()))
    return ids
  }

  private forget(): void {
    for (const term of this.taken.keys()) {
      if (this.taken.size <= remembered) return
      this.taken.delete(term)
      this.forgottenUpTo = term
    }
  }
}

/** Ids that arrive roughly in order: all from a first to a last one, and those that came out of turn. */
class TakenIds {
  /** Empty at first. */
  private first = 0
  private last = -1
  private readonly outOfTurn = new Set<number>()
  /** Too old to tell. */
  private floor = -1

  has(id: number): boolean {
    return (id >= this.first && id <= this.last) || id <= this.floor || this.outOfTurn.has(id)
  }

  add(id: number): void {
    if (this.last < this.first) this.first = id
    else if (id !== this.last + 1) return this.addOutOfTurn(id)
    this.last = id
    while (this.outOfTurn.delete(this.last + 1)) this.last += 1
  }

  private addOutOfTurn(id: number): void {
    this.outOfTurn.add(id)
    if (this.outOfTurn.size <= windowSize) return
    const [oldest] = this.outOfTurn
    this.outOfTurn.delete(oldest!)
    this.floor = Math.max(this.floor, oldest!)
  }
}
