/**
 * Terms: Raft's logical clock (paper, section 5.1). A term begins with an election and has at most
 * one leader.
 */
import * as Schema from "effect/Schema"

/** A natural number that only grows; 0 is "before the first election". */
export const Term = Schema.Natural.pipe(Schema.brand("effect-raft/Term"))
export type Term = typeof Term.Type

/** The term before any election. */
export const zero: Term = 0 as Term

/** The term that a candidate starts: `currentTerm + 1`. */
export const next = (term: Term): Term => (term + 1) as Term
