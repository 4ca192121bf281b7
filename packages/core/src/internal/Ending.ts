/**
 * How a node ends: because its Scope closes, or by itself, when the disk, the machine or an assertion fails. Both
 * ways every caller is answered before anything else happens, and only once.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { NodeId } from "../NodeId.ts"
import { RaftError, ShuttingDown } from "../RaftError.ts"
import type { RaftErrorReason } from "../RaftError.ts"
import * as Reasons from "./Reasons.ts"

export interface Ending {
  /** Why the node is no longer running; `undefined` while it is. */
  readonly stopped: () => RaftErrorReason | undefined
  /** Fails when the node has stopped by itself. */
  readonly failure: Effect.Effect<never, RaftError>
  /** Fails when the node has ended, for whatever reason. */
  readonly ended: Effect.Effect<never, RaftError>
  /** The node stops itself. */
  readonly fail: (reason: RaftErrorReason) => Effect.Effect<void>
  /** Forks one of the node's fibers, of this name, into its Scope. The node stops when the fiber fails. */
  readonly run: (fiber: string, effect: Effect.Effect<never, RaftErrorReason>) => Effect.Effect<void>
  /**
   * From now on callers are answered when the Scope closes, and the Scope closes when the node fails. What was
   * opened in the Scope before, closes after that; fibers that are forked into it later end first.
   */
  readonly attend: Effect.Effect<void, never, Scope.Scope>
}

/** A node lives in `scope`. `answerAll` is called once, when `stopped` has its reason. */
export const make = (
  nodeId: NodeId,
  scope: Scope.Closeable,
  answerAll: (reason: RaftErrorReason) => void
): Ending => {
  let stopped: RaftErrorReason | undefined
  const failure = Deferred.makeUnsafe<never, RaftError>()
  const ended = Deferred.makeUnsafe<never, RaftError>()

  const end = (reason: RaftErrorReason): void => {
    if (stopped !== undefined) return
    stopped = reason
    answerAll(reason)
    Deferred.doneUnsafe(ended, Exit.fail(new RaftError({ reason })))
  }

  const fail = (reason: RaftErrorReason) =>
    Effect.suspend(() => {
      if (stopped !== undefined) return Effect.void
      end(reason)
      Deferred.doneUnsafe(failure, Exit.fail(new RaftError({ reason })))
      return Effect.logError(`Node ${nodeId} stops: ${reason.message}`)
    })

  const run: Ending["run"] = (fiber, effect) =>
    effect.pipe(
      Effect.catchCause((cause) =>
        Cause.hasInterruptsOnly(cause) ? Effect.void : fail(Reasons.reasonOf(cause))
      ),
      Effect.annotateLogs({ fiber, nodeId }),
      Effect.forkIn(scope, { startImmediately: true }),
      Effect.asVoid
    )

  const attend = Effect.gen(function* () {
    yield* Scope.addFinalizer(
      scope,
      Effect.sync(() => end(new ShuttingDown()))
    )
    // What the node holds goes with it: a node that failed must not keep its peers waiting.
    yield* Deferred.await(failure).pipe(
      Effect.catch(() => Scope.close(scope, Exit.void)),
      Effect.forkScoped
    )
  })

  return {
    stopped: () => stopped,
    failure: Deferred.await(failure),
    ended: Deferred.await(ended),
    fail,
    run,
    attend
  }
}
