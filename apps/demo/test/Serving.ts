/**
 * Nodes run by hand: the `serve` command with the flags of a small cluster.
 */
import * as Effect from "effect/Effect"
import * as NodePath from "node:path"
import * as ClusterPlan from "../src/ClusterPlan.ts"
import * as Ports from "../src/Ports.ts"
import * as Command from "./Command.ts"

export interface Place {
  readonly id: string
  readonly url: string
  readonly directory: string
  readonly httpPort: number
  readonly peerPort: number
  /** For native clients, where `serve` is told to listen for them. */
  readonly clientsPort: number
  /** The flags of `serve`. */
  readonly flags: ReadonlyArray<string>
}

/** Where the nodes of a new cluster live: free ports, fresh directories. */
export const places = Effect.fnUntraced(function* (count: number) {
  const root = yield* Command.temporaryDirectory
  const base = yield* Effect.orDie(Ports.freeBase((from) => ClusterPlan.portsFrom(from, count)))
  const ids = Array.from({ length: count }, (_, at) => `n${at + 1}`)
  const members = ids.flatMap((id, at) => ["--member", `${id}=127.0.0.1:${base + at + 1}`])
  return ids.map((id, at): Place => {
    const peerPort = base + at + 1
    const httpPort = base + 101 + at
    const clientsPort = base + 201 + at
    const directory = NodePath.join(root, id)
    const own = ["--node-id", id, "--directory", directory]
    const listen = ["--listen", `127.0.0.1:${peerPort}`, "--http", `127.0.0.1:${httpPort}`]
    return {
      id,
      url: `http://127.0.0.1:${httpPort}`,
      directory,
      httpPort,
      peerPort,
      clientsPort,
      flags: [...own, ...listen, ...members]
    }
  })
})

/** Starts a node and waits until it says that it is ready. */
export const serve = (place: Place) => serveWith(place, [])

/** The same with more flags, and in other circumstances. */
export const serveWith = Effect.fnUntraced(function* (
  place: Place,
  flags: ReadonlyArray<string>,
  circumstances?: Command.Circumstances
) {
  const running = yield* Command.start(["serve", ...place.flags, ...flags], "", circumstances)
  yield* running.says(
    new RegExp(`^node ${place.id} ready: ${place.url}, peers at 127.0.0.1:${place.peerPort}$`, "m")
  )
  return running
})
