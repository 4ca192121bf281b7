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
  if (codeOf(error) === "UND_ERR_CONNECT_TIMEOUT" || isBadPort(error) || isDistrust(error)) return true
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
  if (codeOf(error) === "ERR_SSL_WRONG_VERSION_NUMBER")
    return "it does not speak TLS; is it http: and not https:?"
  if (isBadPort(error)) return "fetch does not dial this port, as other protocols use it (bad port)"
  const inner = [...attemptsOf(error), "cause" in error ? error.cause : undefined].map(wordsOf)
  const told = inner.filter((words) => words !== "").join(", ")
  if (told !== "" || !(error instanceof Error)) return told
  return isOfStranger(error)
    ? `its certificate is of an authority that is not known here (${error.message})`
    : error.message
}

/** A name with several addresses: all of them were tried. */
const attemptsOf = (error: object): ReadonlyArray<unknown> =>
  "errors" in error && Array.isArray(error.errors) ? error.errors : []

const codeOf = (error: object): unknown => ("code" in error ? error.code : undefined)

/** The node's certificate was not accepted, or it speaks no TLS: nothing is sent before that is settled. */
const isDistrust = (error: object): boolean => {
  const code = codeOf(error)
  return typeof code === "string" && handshakeFailures.has(code)
}

/** The node's certificate may be in order: who has signed it is not among those that are trusted. */
const isOfStranger = (error: object): boolean => {
  const code = codeOf(error)
  return typeof code === "string" && strangers.has(code)
}

const strangers: ReadonlySet<string> = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE"
])

/** Of Node's codes for certificates, and OpenSSL's for what is no TLS. */
const handshakeFailures: ReadonlySet<string> = new Set([
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "CERT_REJECTED",
  "CERT_REVOKED",
  "CERT_SIGNATURE_FAILURE",
  "CERT_UNTRUSTED",
  "ERR_SSL_PACKET_LENGTH_TOO_LONG",
  "ERR_SSL_WRONG_VERSION_NUMBER",
  "ERR_TLS_CERT_ALTNAME_INVALID",
  "HOSTNAME_MISMATCH",
  "INVALID_CA",
  "INVALID_PURPOSE",
  ...strangers
])

/** What `fetch` says of the ports that its standard closes to it. It has no code for that, only these words. */
const isBadPort = (error: object): boolean => error instanceof Error && error.message === "bad port"
