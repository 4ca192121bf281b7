/**
 * Start N tasks, go on when all have ended.
 *
 * The notes: a `sync.WaitGroup`; `wg.Add(1)` before each `go`, `defer wg.Done()` inside, `wg.Wait()` after.
 * Forget one of the three and the program hangs or goes on too soon.
 *
 * Here: `Effect.forEach` with a concurrency. It forks, waits and collects the answers, so there is no count
 * to get wrong. It also says what happens when a task fails, which a WaitGroup leaves open: the others are
 * interrupted and the failure is the answer.
 */
import * as Effect from "effect/Effect"
import { runAlone } from "./runAlone.ts"

export interface Peer {
  readonly name: string
  readonly latencyMillis: number
}

/** Answers after the peer's latency. */
export const greet = (peer: Peer): Effect.Effect<string> =>
  Effect.as(Effect.sleep(peer.latencyMillis), `hello from ${peer.name}`)

/** Takes as long as the slowest peer, not as long as all together. */
export const greetAll = (peers: ReadonlyArray<Peer>): Effect.Effect<ReadonlyArray<string>> =>
  Effect.forEach(peers, greet, { concurrency: "unbounded" })

runAlone(
  import.meta,
  greetAll([
    { name: "n1", latencyMillis: 300 },
    { name: "n2", latencyMillis: 100 },
    { name: "n3", latencyMillis: 200 }
  ])
)
