/**
 * A client of the simulated cluster that sends its commands through sessions: what fails in an unclear way
 * goes again, at whatever node it likes by then. When its session has expired it opens another.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { because, NotLeader, OutcomeUnknown } from "../../RaftError.ts"
import type { RaftError } from "../../RaftError.ts"
import * as Session from "../../Session.ts"
import type { Applied, SessionOperations } from "../../sessions/SessionOperations.ts"
import type * as Coverage from "./Coverage.ts"

/** How long a client tries again, in virtual time. */
const retryForMillis = 3_000

export interface SessionClient<Command, Reply> {
  readonly propose: (command: Command) => Effect.Effect<Applied<Reply>, RaftError>
  /** Leaves the session, if there is one. */
  readonly end: Effect.Effect<void>
}

/** `operations` chooses a node for each try. */
export const make = <Command, Reply>(
  operations: () => SessionOperations<Command, Reply>,
  counters: Coverage.Counters
): SessionClient<Command, Reply> => {
  const anywhere = wandering(operations, counters)
  let current:
    | { readonly session: Session.Session<Command, Reply>; readonly scope: Scope.Closeable }
    | undefined

  const end = Effect.suspend(() => {
    const left = current
    current = undefined
    return left === undefined ? Effect.void : Scope.close(left.scope, Exit.void)
  })

  const open = Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const session = yield* restore(Scope.provide(Session.open(anywhere, { retryForMillis }), scope)).pipe(
        Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
      )
      current = { session, scope }
      return session
    })
  )

  return {
    propose: (command) =>
      Effect.gen(function* () {
        const session = current?.session ?? (yield* open)
        return yield* Effect.tapError(session.proposeAt(command), (error) =>
          error.reason._tag === "SessionExpired" ? end : Effect.void
        )
      }),
    end
  }
}

/** Each try goes to a node of its own; one that has stopped is, to such a client, only not the leader. */
const wandering = <Command, Reply>(
  operations: () => SessionOperations<Command, Reply>,
  counters: Coverage.Counters
): SessionOperations<Command, Reply> => {
  const at = <A>(call: (node: SessionOperations<Command, Reply>) => Effect.Effect<A, RaftError>) =>
    Effect.suspend(() => call(operations())).pipe(
      Effect.mapError((error) => {
        switch (error.reason._tag) {
          case "ShuttingDown":
          case "StorageFailure":
            return because(new NotLeader({ leader: null }))
          case "MachineFailure":
          case "InvariantBroken":
            return because(new OutcomeUnknown({ detail: error.message }))
          default:
            return error
        }
      })
    )
  let last = ""
  return {
    open: at((node) => node.open),
    propose: (request) => {
      const name = `${request.session.index}/${request.sequence}`
      if (name === last) counters.retries += 1
      last = name
      return at((node) => node.propose(request))
    },
    keepAlive: (request) => at((node) => node.keepAlive(request)),
    close: (session) => at((node) => node.close(session))
  }
}
