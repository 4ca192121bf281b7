/**
 * Stop a node: all of it, now.
 *
 * The notes: `rf.Kill()` sets a flag that every long-running goroutine must remember to look at. One that
 * sleeps, waits at a condition variable or hangs in an RPC does not look, and lives on into the next test.
 *
 * Here: everything that a node starts is forked into its Scope, and a Scope inside it into that one. Closing
 * the outer Scope interrupts every fiber wherever it waits and runs the finalizers, last opened first closed.
 * When `close` returns, nothing of the node is left; there is no flag.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import { runAlone } from "./runAlone.ts"

type Log = (line: string) => void

/** Says when it opens and when it closes. */
const resource = (log: Log, name: string) =>
  Effect.acquireRelease(
    Effect.sync(() => log(`open ${name}`)),
    () => Effect.sync(() => log(`close ${name}`))
  )

/** A fiber that is always in the middle of something. */
const background = (log: Log, name: string, waiting: Effect.Effect<unknown>) =>
  waiting.pipe(
    Effect.andThen(Effect.sync(() => log(`${name} works`))),
    Effect.forever,
    Effect.onInterrupt(() => Effect.sync(() => log(`${name} stops`))),
    Effect.forkScoped({ startImmediately: true })
  )

/** A node: a store, an actor that waits at its mailbox, and a role with a timer and a pending RPC. */
const startNode = Effect.fnUntraced(function* (log: Log) {
  yield* resource(log, "storage")
  const mailbox = yield* Queue.bounded<string>(16)
  yield* background(log, "actor", Queue.take(mailbox))
  const roleScope = yield* Scope.fork(yield* Effect.scope)
  yield* Effect.gen(function* () {
    yield* background(log, "election timer", Effect.sleep("150 millis"))
    yield* background(log, "vote request", Effect.never)
  }).pipe(Scope.provide(roleScope))
})

/** Runs a node for 200 ms, kills it, and lets another second pass. */
export const killAfterAWhile = Effect.gen(function* () {
  const lines: Array<string> = []
  const scope = yield* Scope.make()
  yield* startNode((line) => lines.push(line)).pipe(Scope.provide(scope))
  yield* Effect.sleep("200 millis")
  lines.push("kill")
  yield* Scope.close(scope, Exit.void)
  lines.push("killed")
  yield* Effect.sleep("1 second")
  return lines
})

runAlone(import.meta, killAfterAWhile)
