/**
 * What a failed HTTP request tells of itself: why, in words, and whether it may have arrived.
 *
 * The clients of Node differ in how they wrap what the system said; the innermost error is the one that
 * tells. Where nothing is known the request may have arrived.
 */
import type { HttpClientError } from "effect/http/HttpClientError"

/** Whether a request failed before a connection stood: then nothing can have arrived. */
export const neverConnected = ({ reason }: HttpClientError): boolean => {
  switch (reason._tag) {
    case "EncodeError":
    case "InvalidUrlError":
      return true
    case "TransportError":
      return isConnectFailure(reason.cause)
    default:
      return false
  }
}

const isConnectFailure = (error: unknown): boolean => {
  if (typeof error !== "object" || error === null) return false
  if (codeOf(error) === "UND_ERR_CONNECT_TIMEOUT" || isBadPort(error)) return true
  const several = attemptsOf(error)
  if (several.length > 0) return several.every(isConnectFailure)
  // The same codes occur on connections that stood, so it is the system call that tells.
  if ("syscall" in error && (error.syscall === "connect" || error.syscall === "getaddrinfo")) return true
  return "cause" in error && isConnectFailure(error.cause)
}

/** Why a request failed, in the words of who saw it first, on one line. */
export const describe = ({ message, reason }: HttpClientError): string => {
  const words = "cause" in reason ? wordsOf(reason.cause) : ""
  return (words === "" ? message : words).replaceAll(/\s+/g, " ").trim()
}

const wordsOf = (error: unknown): string => {
  if (typeof error !== "object" || error === null) return ""
  if (isBadPort(error)) return "fetch does not dial this port, as other protocols use it (bad port)"
  const inner = [...attemptsOf(error), "cause" in error ? error.cause : undefined].map(wordsOf)
  const told = inner.filter((words) => words !== "").join(", ")
  return told !== "" || !(error instanceof Error) ? told : error.message
}

/** A name with several addresses: all of them were tried. */
const attemptsOf = (error: object): ReadonlyArray<unknown> =>
  "errors" in error && Array.isArray(error.errors) ? error.errors : []

const codeOf = (error: object): unknown => ("code" in error ? error.code : undefined)

/** What `fetch` says of the ports that its standard closes to it. It has no code for that, only these words. */
const isBadPort = (error: object): boolean => error instanceof Error && error.message === "bad port"
