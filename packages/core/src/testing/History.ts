/**
 * What clients asked, when, and what they were told: the raw material of every check from outside.
 *
 * A history knows nothing of Raft. It holds one record per client operation, with the moments between
 * which the operation must have taken effect, if it did. A recorder writes it while a workload runs;
 * `Linearizability` judges it; `KvHistory` reads and writes it as text.
 *
 * Times are nanoseconds since the recorder was made. No two moments of one recorder are equal, so that
 * the order of events survives a clock that stands still, as a test's clock does between two steps.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

/** How an operation ended, as its client knows it. */
export type Outcome<Output> =
  | { readonly _tag: "Ok"; readonly output: Output }
  /** It surely did not happen, and never will. */
  | { readonly _tag: "Fail" }
  /** It may have happened, or may still happen at any later time. */
  | { readonly _tag: "Unknown" }

/** One operation of one client. */
export interface Operation<Input, Output> {
  readonly client: number
  readonly input: Input
  readonly callNanos: number
  /** When the client had its answer; of an unknown operation, when it gave up. Never before the call. */
  readonly returnNanos: number
  readonly outcome: Outcome<Output>
}

/** An operation, and what is to be made of its end. */
export interface Asked<Input, Output, A, E> {
  readonly client: number
  readonly input: Input
  readonly output: (value: A) => Output
  readonly didNotHappen: (error: E) => boolean
}

export interface Recorder<Input, Output> {
  /**
   * Runs one operation and records it. It is `Ok` where the effect succeeds, `Fail` where it fails with
   * an error of which `didNotHappen` is true, and `Unknown` in every other case: another error, a
   * defect, an interruption.
   */
  readonly record: <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    asked: Asked<Input, Output, A, E>
  ) => Effect.Effect<A, E, R>
  /** The same for plain code: the operation begins now, and has ended when the function is called that this gives. */
  readonly begin: <A, E>(asked: Asked<Input, Output, A, E>) => (exit: Exit.Exit<A, E>) => Outcome<Output>
  /** All operations so far, in the order of their calls. Those that still run are `Unknown`. */
  readonly operations: Effect.Effect<ReadonlyArray<Operation<Input, Output>>>
}

/** An operation that may still run: there are many, so it is made once, and its end is written into it. */
interface Recorded<Input, Output> {
  readonly client: number
  readonly input: Input
  readonly callNanos: number
  returnNanos: number
  outcome: Outcome<Output>
}

/** In the place of a return that was not yet. */
const stillRunning = -1

const unknown: Outcome<never> = { _tag: "Unknown" }

/** A recorder on the present `Clock`. It keeps every operation until it is dropped itself. */
export const make = <Input, Output>(): Effect.Effect<Recorder<Input, Output>> =>
  Clock.clockWith((clock) =>
    Effect.sync(() => {
      const stamp = makeStamp(clock)
      const begun: Array<Recorded<Input, Output>> = []
      const begin: Recorder<Input, Output>["begin"] = ({ client, input, output, didNotHappen }) => {
        const recorded: Recorded<Input, Output> = {
          client,
          input,
          callNanos: stamp(),
          returnNanos: stillRunning,
          outcome: unknown
        }
        begun.push(recorded)
        return (exit) => {
          recorded.returnNanos = stamp()
          recorded.outcome = Exit.isSuccess(exit)
            ? { _tag: "Ok", output: output(exit.value) }
            : { _tag: isSureFailure(exit.cause, didNotHappen) ? "Fail" : "Unknown" }
          return recorded.outcome
        }
      }
      return {
        begin,
        record: (effect, asked) =>
          Effect.suspend(() => {
            const end = begin(asked)
            return Effect.onExit(effect, (exit) => Effect.sync(() => void end(exit)))
          }),
        operations: Effect.sync(() =>
          begun.map((recorded) =>
            recorded.returnNanos === stillRunning ? { ...recorded, returnNanos: stamp() } : recorded
          )
        )
      }
    })
  )

/** The clock's time, or one nanosecond after the last stamp where the clock has not moved since. */
const makeStamp = (clock: Clock.Clock): (() => number) => {
  const origin = clock.monotonicTimeNanosUnsafe()
  let last = -1
  // Big integers are dear, and a simulated clock stands still most of the time.
  let [knownNanos, knownSince] = [origin, 0]
  return () => {
    const nanos = clock.monotonicTimeNanosUnsafe()
    if (nanos !== knownNanos) [knownNanos, knownSince] = [nanos, Number(nanos - origin)]
    return (last = Math.max(knownSince, last + 1))
  }
}

const isSureFailure = <E>(cause: Cause.Cause<E>, didNotHappen: (error: E) => boolean): boolean =>
  cause.reasons.length > 0 &&
  cause.reasons.every((reason) => Cause.isFailReason(reason) && didNotHappen(reason.error))
