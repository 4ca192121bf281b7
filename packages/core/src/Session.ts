/**
 * Exactly once: a client's session with the group (thesis, section 6.3).
 *
 * A command whose answer is lost may have been applied, or not. In a session it is simply sent again, under
 * the number that it had: the group applies it once and gives the first answer again.
 *
 * ```ts
 * const session = yield* Session.open(raft.sessions)
 * const total = yield* session.propose({ _tag: "Increment", by: 2 })   // applied once, whoever dies meanwhile
 * ```
 *
 * A session is kept alive in the background and closed with its Scope. A client that nobody hears for
 * longer than the session's timeout loses it: its calls fail with `SessionExpired`, and what was under way
 * then is not known. Commands of one session that are under way together are applied in any order.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as RcRef from "effect/RcRef"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { because, OutcomeUnknown, SessionExpired } from "./RaftError.ts"
import type { Outcome, RaftError } from "./RaftError.ts"
import type { SessionId, SessionLimits } from "./SessionId.ts"
import type { Applied, SessionOperations } from "./sessions/SessionOperations.ts"

export type { Applied, Opened, Request, SessionOperations } from "./sessions/SessionOperations.ts"

/** An open session. Any number of fibers may use it. */
export interface Session<Command, Reply> {
  readonly id: SessionId
  readonly limits: SessionLimits

  /**
   * Applies a command exactly once and gives the machine's reply. What is transient is tried again; when it
   * fails all the same, `error.outcome` tells whether any try may have taken effect.
   *
   * Interrupting it gives the command up: it was applied, or may be until the next command of this session
   * is; after that it never will be.
   */
  readonly propose: (command: Command) => Effect.Effect<Reply, RaftError>

  /** As `propose`, and tells where the command stood in the log when it was applied. */
  readonly proposeAt: (command: Command) => Effect.Effect<Applied<Reply>, RaftError>

  /** Never succeeds; fails with `SessionExpired` as soon as that is known. */
  readonly expired: Effect.Effect<never, RaftError>
}

export interface Options {
  /**
   * How long an opening or a command is tried again before it fails, in milliseconds. Default 30,000. A single
   * try may take the request timeout beyond it.
   */
  readonly retryForMillis?: number
}

/** Opens a session that lasts as long as the Scope, unless it expires. */
export const open = <Command, Reply>(
  operations: SessionOperations<Command, Reply>,
  options?: Options
): Effect.Effect<Session<Command, Reply>, RaftError, Scope.Scope> =>
  Effect.gen(function* () {
    const retryForMillis = options?.retryForMillis ?? 30_000
    const expiry = Deferred.makeUnsafe<never, RaftError>()
    const { limits, session: id } = yield* Effect.acquireRelease(
      Effect.interruptible(tryAgain(operations.open, retryForMillis)),
      ({ session }) => (Deferred.isDoneUnsafe(expiry) ? Effect.void : leave(operations, session))
    )
    const numbers = new Numbers()
    // A number is given back when all before it are too, so that the group always has room for the answer.
    const window = yield* Semaphore.make(limits.maxReplies)
    /** Whether the group has answered since the last look. */
    let wasHeard = true

    const listen = <A>(call: Effect.Effect<A, RaftError>): Effect.Effect<A, RaftError> =>
      Effect.onExit(call, (exit) => {
        if (Exit.isSuccess(exit)) wasHeard = true
        else if (hasExpired(exit.cause)) Deferred.doneUnsafe(expiry, Exit.fail(expired(id, "none")))
        return Effect.void
      })

    const proposeAt = (command: Command) =>
      Effect.acquireUseRelease(
        Effect.map(Effect.interruptible(window.take(1)), () => numbers.begin()),
        (sequence) =>
          Deferred.isDoneUnsafe(expiry)
            ? Effect.fail(expired(id, "none"))
            : tryAgain(
                Effect.suspend(() => {
                  const acknowledgedBelow = numbers.acknowledgedBelow()
                  return listen(operations.propose({ session: id, sequence, acknowledgedBelow, command }))
                }),
                retryForMillis
              ),
        (sequence) => window.release(numbers.end(sequence))
      )

    /** Says something four times in the session's life, unless something was answered since the last time. */
    const periodMillis = Math.max(1, Math.floor(limits.timeoutMillis / 4))
    const keepAlive = Effect.suspend(() => {
      if (wasHeard) {
        wasHeard = false
        return Effect.void
      }
      const sayIt = Effect.suspend(() =>
        operations.keepAlive({ session: id, acknowledgedBelow: numbers.acknowledgedBelow() })
      )
      return Effect.exit(listen(tryAgain(sayIt, periodMillis)))
    })
    yield* Effect.sleep(periodMillis).pipe(
      Effect.andThen(keepAlive),
      Effect.repeat({ until: () => Deferred.isDoneUnsafe(expiry) }),
      Effect.annotateLogs({ fiber: "sessionKeepAlive" }),
      Effect.forkScoped
    )

    return {
      id,
      limits,
      proposeAt,
      propose: (command) => Effect.map(proposeAt(command), ({ reply }) => reply),
      expired: Deferred.await(expiry)
    }
  })

/** How long {@link proposer} keeps a session that nobody uses. */
const idleMillis = 60_000

/**
 * Proposes in a session that is opened when the first command needs it, given back after a minute without
 * commands or with the Scope, and replaced when it has expired. A command that met the end of a session and
 * surely was not applied goes on in the next one. For programs that want exactly-once and no session to look after.
 */
export const proposer = <Command, Reply>(
  operations: SessionOperations<Command, Reply>,
  options?: Options
): Effect.Effect<(command: Command) => Effect.Effect<Reply, RaftError>, never, Scope.Scope> =>
  Effect.map(
    RcRef.make({ acquire: open(operations, options), idleTimeToLive: idleMillis }),
    (sessions) => (command) =>
      RcRef.get(sessions).pipe(
        Effect.flatMap((session) => session.propose(command)),
        Effect.scoped,
        Effect.tapError(({ reason }) =>
          reason._tag === "SessionExpired" ? RcRef.invalidate(sessions) : Effect.void
        ),
        Effect.retry({
          times: 1,
          while: ({ outcome, reason }) => reason._tag === "SessionExpired" && outcome === "none"
        })
      )
  )

/** The numbers of one session's commands: which is next, and which are under way. */
class Numbers {
  private next = 1
  /** Ascending, because numbers are. */
  private readonly underWay = new Set<number>()

  begin(): number {
    const sequence = this.next++
    this.underWay.add(sequence)
    return sequence
  }

  /** Gives back how many more numbers are acknowledged now. */
  end(sequence: number): number {
    const before = this.acknowledgedBelow()
    this.underWay.delete(sequence)
    return this.acknowledgedBelow() - before
  }

  /** The lowest number that is waited for. */
  acknowledgedBelow(): number {
    for (const lowest of this.underWay) return lowest
    return this.next
  }
}

/** Quick at first, and then twice a second. */
const pauses = Schedule.jittered(Schedule.min([Schedule.exponential(10), Schedule.spaced(500)]))

/**
 * Tries a call again while that may help. What a failure says of the command holds for all tries: one that
 * may have taken effect is not undone by a later one that surely did not.
 */
const tryAgain = <A>(call: Effect.Effect<A, RaftError>, forMillis: number): Effect.Effect<A, RaftError> =>
  Effect.suspend(() => {
    let mayHaveHappened = false
    return call.pipe(
      Effect.tapError((error) =>
        Effect.sync(() => {
          mayHaveHappened ||= error.outcome === "unknown"
        })
      ),
      Effect.retry({ schedule: Schedule.upTo(pauses, { duration: forMillis }), while: isTransient }),
      Effect.mapError((error) => (mayHaveHappened ? inDoubt(error) : error))
    )
  })

const isTransient = ({ reason }: RaftError): boolean =>
  reason._tag === "OutcomeUnknown" ||
  reason._tag === "NotLeader" ||
  reason._tag === "NoLeader" ||
  reason._tag === "Overloaded"

const inDoubt = (error: RaftError): RaftError => {
  if (error.outcome === "unknown") return error
  if (error.reason._tag === "SessionExpired") return expired(error.reason.session, "unknown")
  const detail = `an earlier try may have taken effect; the last one failed: ${error.message}`
  return because(new OutcomeUnknown({ detail }))
}

const expired = (session: SessionId, outcome: Outcome) => because(new SessionExpired({ session, outcome }))

const hasExpired = (cause: Cause.Cause<RaftError>): boolean =>
  cause.reasons.some((reason) => Cause.isFailReason(reason) && reason.error.reason._tag === "SessionExpired")

/** How long the end of a Scope waits for the group. */
const leaveMillis = 1_000

/** A courtesy: a session that is not closed expires. */
const leave = <Command, Reply>(operations: SessionOperations<Command, Reply>, session: SessionId) =>
  operations.close(session).pipe(Effect.timeoutOption(leaveMillis), Effect.ignore)
