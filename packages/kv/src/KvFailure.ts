/**
 * From what the service says to what HTTP says: each `KvError` has one status and one body.
 */
import type * as KvApi from "./KvApi.ts"
import type * as KvError from "./KvError.ts"

/** A body of status 400. `part` is the part of the request that makes no sense. */
export const badRequest = (
  part: (typeof KvApi.BadRequest.Type)["in"],
  message: string
): typeof KvApi.BadRequest.Type => ({ error: "BadRequest", message, in: part })

/** A body of status 413. */
export const valueTooLarge = (sizeBytes: number, limitBytes: number): typeof KvApi.ValueTooLarge.Type => ({
  error: "ValueTooLarge",
  message: `The value takes ${sizeBytes} bytes or more; at most ${limitBytes} are allowed`,
  sizeBytes,
  limitBytes
})

/** The answer to a read that failed. */
export const ofRead = (
  error: KvError.KvError
): typeof KvApi.BadRequest.Type | typeof KvApi.Unavailable.Type =>
  error.reason._tag === "KeyInvalid" ? badRequest("key", error.reason.detail) : unavailable(error)

/** The answer to a write that failed. */
export const ofWrite = (error: KvError.KvError): typeof KvApi.WriteFailure.Type => {
  const { reason } = error
  switch (reason._tag) {
    case "KeyInvalid":
      return badRequest("key", reason.detail)
    case "ConditionFailed":
      return { error: "ConditionFailed", message: error.message, revision: reason.revision }
    case "ValueTooLarge":
      return valueTooLarge(reason.bytes, reason.maxBytes)
    case "Unavailable":
      return unavailable(error)
    case "OutcomeUnknown":
      return {
        error: "OutcomeUnknown",
        message: reason.detail,
        outcome: "unknown",
        ...(reason.index === undefined ? {} : { index: reason.index }),
        ...(reason.term === undefined ? {} : { term: reason.term })
      }
  }
}

const unavailable = ({ message, reason }: KvError.KvError): typeof KvApi.Unavailable.Type => ({
  error: "Unavailable",
  // The name is told already: the client that reads this puts it in front again.
  message: reason._tag === "Unavailable" ? reason.detail : message,
  outcome: "none",
  reason: reason._tag === "Unavailable" ? (reason.raft?._tag ?? "Unavailable") : reason._tag
})
