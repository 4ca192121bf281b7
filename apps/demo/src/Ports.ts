/**
 * Finding TCP ports on the loopback interface: whether one is free, and a run of free ones for a cluster
 * that does not care which.
 */
import * as Address from "@effect-raft/transport-tcp/Address"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Net from "node:net"
import { fail } from "./ExitCode.ts"

/** The interface that local clusters live on. */
export const loopback = "127.0.0.1"

/** The URL of an HTTP server that listens there. */
export const urlOf = (address: Address.HostPort, scheme: "http" | "https" = "http"): string =>
  `${scheme}://${Address.format(address)}`

/** Whether this process could listen there now. */
export const isFree = (port: number): Effect.Effect<boolean> =>
  Effect.callback<boolean>((resume) => {
    const server = Net.createServer()
    server.once("error", () => resume(Effect.succeed(false)))
    server.listen({ host: loopback, port, exclusive: true }, () =>
      server.close(() => resume(Effect.succeed(true)))
    )
    return Effect.sync(() => server.close())
  })

/** The ports among these that something else listens on. */
export const taken = (ports: ReadonlyArray<number>): Effect.Effect<ReadonlyArray<number>> =>
  Effect.filter(ports, (port) => Effect.map(isFree(port), (free) => !free), { concurrency: 8 })

/**
 * A base port of which all `portsOf(base)` are free. Drawn from below the range that the system takes
 * the ports of outgoing connections from: a node that was killed gets the same port again, and nobody
 * must have taken it meanwhile. And from above the ports that browsers do not dial (`BlockedPorts`).
 */
export const freeBase = Effect.fnUntraced(function* (portsOf: (base: number) => ReadonlyArray<number>) {
  for (let attempt = 0; attempt < 50; attempt++) {
    const base = yield* Random.nextIntBetween(10_100, 32_000)
    if ((yield* taken(portsOf(base))).length === 0) return base
  }
  return yield* fail("No run of free ports was found between 10100 and 32000; give one with --base-port")
})
