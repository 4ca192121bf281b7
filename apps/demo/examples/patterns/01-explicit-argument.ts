/**
 * A task gets its argument; it does not look it up later.
 *
 * The notes: `for i := 0; i < 5; i++ { go func() { send(i) }() }` is wrong, since the five goroutines share
 * one `i` and run after the loop has moved on. `go func(x int) { send(x) }(i)` gives each its own.
 *
 * Here: a forked fiber starts no sooner than its parent waits, so the trap is the same, and certain. What a
 * fiber needs is passed to the function that makes it, and `Effect.forEach` does that by its shape.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { runAlone } from "./runAlone.ts"

const rpc = (peer: number) => Effect.succeed(peer)

/** Every fiber reads the one variable, after the loop has ended: `[5, 5, 5, 5, 5]`. */
export const sharedVariable = Effect.gen(function* () {
  const fibers: Array<Fiber.Fiber<number>> = []
  let peer = 0
  for (; peer < 5; peer++) {
    fibers.push(yield* Effect.forkChild(Effect.suspend(() => rpc(peer))))
  }
  return yield* Fiber.joinAll(fibers)
})

/** Every fiber was made from its own argument: `[0, 1, 2, 3, 4]`. */
export const ownArgument = Effect.forEach(Arr.range(0, 4), (peer) => rpc(peer), { concurrency: "unbounded" })

runAlone(import.meta, Effect.all({ sharedVariable, ownArgument }))
