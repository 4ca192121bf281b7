/**
 * Servers of one kind, as a scenario sees them: who they are, who leads, and how clients reach them.
 */
import * as Effect from "effect/Effect"
import * as NodeNet from "node:net"
import { BenchFailed } from "../Scenario.ts"
import type { Member } from "./Member.ts"

/** How the load generator talks to the servers. */
export type Protocol = "etcd" | "http" | "native"

export interface Cluster {
  /** How it is called in the tables. */
  readonly subject: string
  readonly protocol: Protocol
  readonly members: ReadonlyArray<Member>
  /** Where the load generator connects with this member: "127.0.0.1:7201". */
  readonly addressOf: (member: Member) => string
  /** Who leads now; waits until somebody does. */
  readonly leader: Effect.Effect<Member, BenchFailed>
  /** When the present leader was elected, by the wall clock; of servers that do not say it there is none. */
  readonly electedMillis?: Effect.Effect<number, BenchFailed>
}

/** Starts all members side by side and waits until they listen, and then for a leader. */
export const startAll = (cluster: Cluster): Effect.Effect<void, BenchFailed> =>
  Effect.andThen(
    Effect.forEach(cluster.members, ({ start }) => start, { concurrency: "unbounded", discard: true }),
    cluster.leader
  )

const pollMillis = 20
const electionMillis = 30_000

/** Asks `isLeader` of every running member until one says yes. */
export const findLeader = (
  members: ReadonlyArray<Member>,
  isLeader: (member: Member) => Effect.Effect<boolean>
): Effect.Effect<Member, BenchFailed> => {
  const look: Effect.Effect<Member> = Effect.suspend(() =>
    Effect.filter(members, isLeader, { concurrency: "unbounded" })
  ).pipe(
    Effect.flatMap(([leader]) =>
      leader === undefined ? Effect.delay(look, pollMillis) : Effect.succeed(leader)
    )
  )
  return Effect.timeoutOrElse(look, {
    duration: electionMillis,
    orElse: () => Effect.fail(new BenchFailed({ message: `No leader within ${electionMillis} ms` }))
  })
}

const lowestPort = 10_100
const highestPort = 32_000

/**
 * A run of `count` ports that are free now, below the range that the system takes the ports of outgoing
 * connections from: a server that was killed gets its port again.
 */
export const freePorts = (count: number): Effect.Effect<ReadonlyArray<number>> =>
  Effect.gen(function* () {
    for (;;) {
      const first =
        lowestPort + ((process.pid * 31 + Math.floor(performance.now())) % (highestPort - lowestPort))
      const ports = Array.from({ length: count }, (_, at) => first + at)
      const free = yield* Effect.filter(ports, isFree)
      if (free.length === count) return ports
    }
  })

const isFree = (port: number): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const server = NodeNet.createServer()
    server.once("error", () => resume(Effect.succeed(false)))
    server.listen({ host: "127.0.0.1", port, exclusive: true }, () =>
      server.close(() => resume(Effect.succeed(true)))
    )
  })
