/**
 * One request and its answer, as an effect: to bytes, through a router, and back from bytes.
 */
import * as Effect from "effect/Effect"
import type { ClientRequest } from "../../ClientMessage.ts"
import { because } from "../../RaftError.ts"
import type { RaftError, RaftErrorReason } from "../../RaftError.ts"
import type { BinaryCodec } from "../../StateMachine.ts"
import type { CallOptions } from "./Call.ts"
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

/** Carries it out. Interrupting it gives its place back; a command that has left may still be carried out. */
export const run = <Input, Output>(
  router: Router,
  kind: Kind<Input, Output>,
  input: Input
): Effect.Effect<Output, RaftError> =>
  Effect.callback((resume) => {
    let bytes: Uint8Array
    try {
      bytes = kind.input.encode(input)
    } catch (cause) {
      return resume(Effect.fail(because(kind.refuse((cause as Error).message))))
    }
    const call = router.submit(new Exchange(kind, bytes, resume))
    return Effect.sync(() => router.abandon(call))
  })

/** An exchange under way. There are many, so it is one object and not a handful of functions. */
class Exchange<Input, Output> implements CallOptions {
  private readonly kind: Kind<Input, Output>
  private readonly bytes: Uint8Array
  private readonly resume: (outcome: Effect.Effect<Output, RaftError>) => void

  constructor(kind: Kind<Input, Output>, bytes: Uint8Array, resume: Exchange<Input, Output>["resume"]) {
    this.kind = kind
    this.bytes = bytes
    this.resume = resume
  }

  get isQuery(): boolean {
    return this.kind.isQuery
  }

  request(id: number): ClientRequest {
    return this.kind.request(id, this.bytes)
  }

  onDone(answer: Uint8Array): void {
    let output: Output
    try {
      output = this.kind.output.decode(answer)
    } catch (cause) {
      // A machine of another version at the other end: a defect, not an outcome.
      return this.resume(Effect.die(cause))
    }
    this.resume(Effect.succeed(output))
  }

  onFailed(reason: RaftErrorReason): void {
    this.resume(Effect.fail(because(reason)))
  }
}
