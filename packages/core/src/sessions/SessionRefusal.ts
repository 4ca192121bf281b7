/**
 * What a caller is told when the table of sessions did not do what it was asked.
 */
import type { LogIndex } from "../LogIndex.ts"
import { AlreadyAcknowledged, InvariantBroken, Overloaded, SessionExpired } from "../RaftError.ts"
import type { RaftErrorReason } from "../RaftError.ts"
import type { SessionId } from "../SessionId.ts"
import type { Term } from "../Term.ts"
import type { SessionAnswer } from "./SessionAnswer.ts"
import type { Open, SessionRecord } from "./SessionRecord.ts"

/** A record, in so far as it tells whose refusal it is. */
export type Asked = Exclude<SessionRecord, Open> | Pick<Open, "_tag">

/** The reason that is in `answer`, which is not the one that `record` hopes for. */
export const reasonOf = (answer: SessionAnswer, record: Asked): RaftErrorReason => {
  const session = record._tag === "Open" ? nobody : record.session
  switch (answer._tag) {
    case "Full":
      return new Overloaded({ bound: answer.bound, limit: answer.limit })
    case "Expired":
      return new SessionExpired({ session, outcome: "none" })
    case "Acknowledged": {
      const sequence = record._tag === "Command" ? record.sequence : 0
      return new AlreadyAcknowledged({ session, sequence, acknowledgedBelow: answer.acknowledgedBelow })
    }
    default:
      return new InvariantBroken({ detail: `the answer to ${record._tag} was ${answer._tag}` })
  }
}

const nobody: SessionId = { index: 0 as LogIndex, term: 0 as Term }
