/**
 * One request and its answer, as an effect: to bytes, through a router, and back from bytes.
 */
import * as Effect from "effect/Effect"
import type { ClientRequest } from "../../ClientMessage.ts"
import { because } from "../../RaftError.ts"
import type { RaftError, RaftErrorReason } from "../../RaftError.ts"
import type { BinaryCodec } from "../../StateMachine.ts"
import { Call } from "./Call.ts"
import type { Router } from "./Router.ts"

/** What all exchanges of a kind have in common. */
export interface Kind<Input, Output> {
  readonly input: Pick<BinaryCodec<Input>, "encode">
  readonly output: Pick<BinaryCodec<Output>, "decode">
  readonly request: (id: number, bytes: Uint8Array) => ClientRequest
  /** It changes nothing: what becomes of it is never in doubt, and it may be tried again at any time. */
  readonly isQuery: boolean
  /** Why an input is not sent that the codec refuses. */
  readonly refuse: (detail: string) => RaftErrorReason
}

/**
 * What a call ends with. Whoever wants other words than the machine's and `RaftError` says so here, and not by
 * effects around the call: each of those costs about as much as sending a request.
 */
export interface Ending<Input, Output, A, E> {
  readonly onDone: (output: Output, input: Input) => Effect.Effect<A, E>
  readonly onFailed: (error: RaftError, input: Input) => E
}

/** Carries it out. Interrupting it gives its place back; a command that has left may still be carried out. */
export const run = <Input, Output, A, E>(
  router: Router,
  kind: Kind<Input, Output>,
  input: Input,
  ending: Ending<Input, Output, A, E>
): Effect.Effect<A, E> =>
  Effect.callback((resume) => {
    let bytes: Uint8Array
    try {
      bytes = kind.input.encode(input)
    } catch (cause) {
      return resume(Effect.fail(ending.onFailed(because(kind.refuse((cause as Error).message)), input)))
    }
    const exchange = new Exchange(kind, input, bytes, ending, resume)
    router.submit(exchange)
    return Effect.sync(() => router.abandon(exchange))
  })

/** An exchange under way. */
class Exchange<Input, Output, A, E> extends Call {
  private readonly kind: Kind<Input, Output>
  private readonly input: Input
  private readonly bytes: Uint8Array
  private readonly ending: Ending<Input, Output, A, E>
  private readonly resume: (outcome: Effect.Effect<A, E>) => void

  constructor(
    kind: Kind<Input, Output>,
    input: Input,
    bytes: Uint8Array,
    ending: Ending<Input, Output, A, E>,
    resume: Exchange<Input, Output, A, E>["resume"]
  ) {
    super()
    this.kind = kind
    this.input = input
    this.bytes = bytes
    this.ending = ending
    this.resume = resume
  }

  override get isQuery(): boolean {
    return this.kind.isQuery
  }

  override request(id: number): ClientRequest {
    return this.kind.request(id, this.bytes)
  }

  override onDone(answer: Uint8Array): void {
    let output: Output
    try {
      output = this.kind.output.decode(answer)
    } catch (cause) {
      // A machine of another version at the other end: a defect, not an outcome.
      return this.resume(Effect.die(cause))
    }
    this.resume(this.ending.onDone(output, this.input))
  }

  override onFailed(reason: RaftErrorReason): void {
    this.resume(Effect.fail(this.ending.onFailed(because(reason), this.input)))
  }
}

/** In the machine's own words. */
export const plain = <Input, Output>(): Ending<Input, Output, Output, RaftError> => ({
  onDone: Effect.succeed,
  onFailed: (error) => error
})
