/**
 * `raft://HOST:PORT`, or `raft://HOST:PORT/CLUSTER`: a node's port for native clients, as the commands take it.
 */
import * as Address from "@effect-raft/transport-tcp/Address"

const pattern = /^raft:\/\/([^/]+)(?:\/([A-Za-z0-9][A-Za-z0-9._-]{0,63}))?\/?$/

/** Whether a text is such an endpoint. */
export const is = (text: string): boolean => parse(text) !== undefined

/** Its parts, or `undefined` where it is no such endpoint. */
export const parse = (text: string): { readonly address: string; readonly cluster: string } | undefined => {
  const [, address = "", cluster = "effect-raft"] = pattern.exec(text) ?? []
  return typeof Address.parse(address) === "string" ? undefined : { address, cluster }
}
