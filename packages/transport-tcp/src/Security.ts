/**
 * How connections are protected: by certificates on both ends, or not at all.
 *
 * Plain text needs no word where it stays on this machine. Beyond it, it has to be asked for: that a
 * cluster talks in the clear must be somebody's decision, not what is left when nobody made one.
 */
import * as Net from "node:net"
import type { Credentials } from "./Credentials.ts"

export type Security =
  | { readonly _tag: "Tls"; readonly credentials: Credentials }
  | {
      readonly _tag: "Plain"
      /** Whether plain text may leave this machine. */
      readonly anywhere: boolean
    }

/** Why nothing may be said to or heard from this host; `undefined` when it may. */
export const refusalOf = (security: Security, host: string): string | undefined =>
  security._tag === "Tls" || security.anywhere || isLoopback(host)
    ? undefined
    : `${host} is beyond this machine, where everybody could read and forge what is said in plain text; ` +
      "give certificates (tls, --tls-cert), or ask for plain text (insecure: true, --insecure) where the network can be trusted"

const loopback = new Net.BlockList()
loopback.addSubnet("127.0.0.0", 8, "ipv4")
loopback.addAddress("::1", "ipv6")

/** Whether a host is this machine for sure. Other names than `localhost` may mean anything. */
export const isLoopback = (host: string): boolean =>
  host === "localhost" || loopback.check(host, Net.isIPv6(host) ? "ipv6" : "ipv4")
