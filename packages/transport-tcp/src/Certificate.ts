/**
 * Which node a certificate is for, and why one that was shown proves nothing.
 *
 * A certificate is for node n1 when its subject's common name or one of its DNS names is exactly `n1`.
 * Everything else (signatures, dates, purposes) is OpenSSL's judgement; here it only gets words.
 */
import type { NodeId } from "@effect-raft/core/NodeId"
import type { X509Certificate } from "node:crypto"
import type * as Tls from "node:tls"

/** What the other end of a connection has proved of itself. */
export interface Proof {
  /** Why it is not trusted, whoever it says it is; `undefined` when it is trusted, or nothing was asked. */
  readonly distrust: string | undefined
  /** Why it cannot be this node, for a node that is trusted; `undefined` when it can. */
  readonly refutes: (nodeId: NodeId) => string | undefined
}

/** Where no proof is asked for: plain text. */
export const nothingAsked: Proof = { distrust: undefined, refutes: () => undefined }

/** Where proof is asked for, and this is why there is none. */
export const distrusted = (distrust: string): Proof => ({ distrust, refutes: () => distrust })

/** The proof that lies in an open TLS connection. */
export const proofOf = (socket: Tls.TLSSocket): Proof => {
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) return distrusted("it shows no certificate")
  if (!socket.authorized) {
    return distrusted(
      `its certificate (${namesOf(certificate)}) ${flawOf(certificate, socket.authorizationError)}`
    )
  }
  return {
    distrust: undefined,
    refutes: (nodeId) =>
      isFor(certificate, nodeId)
        ? undefined
        : `its certificate is not for node ${nodeId}: it names ${namesOf(certificate)}`
  }
}

/** Whether a certificate is for this node. */
export const isFor = (certificate: X509Certificate, nodeId: NodeId): boolean =>
  // OpenSSL compares without regard to case, and answers with the name as the certificate has it.
  certificate.checkHost(nodeId, { subject: "always", wildcards: false }) === nodeId

/** The names in a certificate, fit for a log: `CN=n1, DNS:n1, IP Address:127.0.0.1`. */
export const namesOf = ({ subject, subjectAltName }: X509Certificate): string =>
  [subject, subjectAltName]
    .filter((names) => names !== undefined && names !== "")
    .join(", ")
    .replaceAll("\n", ", ")
    .slice(0, 200)
    .replace(/[^\x20-\x7e]/g, "?")

const flawOf = (certificate: X509Certificate, verdict: unknown): string => {
  const code = verdict instanceof Error ? verdict.message : String(verdict)
  switch (code) {
    case "CERT_HAS_EXPIRED":
      return `or one above it has expired (it is valid to ${certificate.validTo})`
    case "CERT_NOT_YET_VALID":
      return `or one above it is not valid yet (it is valid from ${certificate.validFrom})`
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
      return `is signed by an authority that is not known here: ${certificate.issuer.replaceAll("\n", ", ")}`
    case "CERT_SIGNATURE_FAILURE":
      return "is not signed by the authority that it names"
    case "INVALID_PURPOSE":
      return "may not be used for this end of a connection: it needs both clientAuth and serverAuth"
    default:
      return `is not accepted: ${code}`
  }
}
