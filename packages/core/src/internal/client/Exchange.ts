/**
 * One request and its answer, as an effect: to bytes, through a router, and back from bytes.
 */
import * as Effect from "effect/Effect"
import type { ClientRequest } from "../../ClientMessage.ts"
import { because } from "../../RaftError.ts"
import type { RaftError, RaftErrorReason } from "../../RaftError.ts"
import type { BinaryCodec } from "../../StateMachine.ts"
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
    const fail = (reason: RaftErrorReason) => resume(Effect.fail(because(reason)))
    let bytes: Uint8Array
    try {
      bytes = kind.input.encode(input)
    } catch (cause) {
      return fail(kind.refuse((cause as Error).message))
    }
    const call = router.submit({
      request: (id) => kind.request(id, bytes),
      isQuery: kind.isQuery,
      onDone: (answer) => resume(decoded(kind.output, answer)),
      onFailed: fail
    })
    return Effect.sync(() => router.abandon(call))
  })

/** A reply that cannot be read is a machine of another version at the other end: a defect, not an outcome. */
const decoded = <Output>(
  { decode }: Pick<BinaryCodec<Output>, "decode">,
  bytes: Uint8Array
): Effect.Effect<Output> => {
  try {
    return Effect.succeed(decode(bytes))
  } catch (cause) {
    return Effect.die(cause)
  }
}
