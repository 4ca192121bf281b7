/**
 * Clients that count, each on a key of its own, each in a session: the next number is written on the
 * condition that the last one is still there. So a number that is written twice, or lost, is refused by the
 * machine itself, and at the end every counter equals what its client was told.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as RaftClient from "../../packages/core/src/RaftClient.ts"
import * as Session from "../../packages/core/src/Session.ts"
import type { Condition, KvReply } from "../../packages/kv/src/KvCommand.ts"
import { KvMachine } from "../../packages/kv/src/KvMachine.ts"
import * as TcpClientTransport from "../../packages/transport-tcp/src/TcpClientTransport.ts"
import { Broken, hold } from "./Show.ts"

/** How many clients count, unless told. */
const clientCount = 16

/** A client waits so long between an answer and its next increment, so that the machine has room to move. */
const thinkMillis = 10

interface Call {
  readonly sentMillis: number
  readonly answeredMillis: number
}

export interface Counting {
  /** Increments that were acknowledged so far, of all clients. */
  readonly acknowledged: () => number
  /** The longest that a client waited for one answer, of calls that were under way between two moments. */
  readonly longestWaitMillis: (fromMillis: number, toMillis: number) => number
  /** Stops the clients, and holds every counter against what its client was told. */
  readonly stop: Effect.Effect<number, Broken>
}

/** The end of every show: the clients stop, and nothing that they counted was lost or counted twice. */
export const settle = (counting: Counting): Effect.Effect<void, Broken> =>
  Effect.flatMap(counting.stop, (total) =>
    hold(
      total === counting.acknowledged(),
      `the counters of all clients are at ${total}, and ${counting.acknowledged()} increments were acknowledged`
    )
  )

/** Starts the clients. They know all these addresses. */
export const start: (
  endpoints: ReadonlyArray<string>,
  clients?: number
) => Effect.Effect<Counting, unknown, Scope.Scope> = Effect.fnUntraced(function* (
  endpoints,
  howMany = clientCount
) {
  const calls: Array<Call> = []
  const counts = new Map<string, number>()
  let stopping = false

  const count = Effect.fnUntraced(function* (key: string) {
    const client = yield* connect(endpoints)
    const session = yield* Session.open(client.sessions)
    let condition: Condition = { _tag: "IfAbsent" }
    for (let number = 1; !stopping; number++) {
      const sentMillis = yield* Clock.currentTimeMillis
      const value = encoder.encode(String(number))
      const reply: KvReply = yield* session.propose({ _tag: "Put", key, value, condition })
      if (reply._tag !== "Written") {
        return yield* new Broken({ message: `${key} is not at ${number - 1}: applied twice, or lost` })
      }
      condition = { _tag: "IfMatch", revision: reply.revision }
      counts.set(key, number)
      calls.push({ sentMillis, answeredMillis: yield* Clock.currentTimeMillis })
      yield* Effect.sleep(thinkMillis)
    }
  }, Effect.scoped)

  const keys = Array.from({ length: howMany }, (_, at) => `counter ${at + 1}`)
  const clients = yield* Effect.forEach(keys, (key) => Effect.forkScoped(count(key)))
  const reader = yield* connect(endpoints)

  const check = Effect.fnUntraced(function* (key: string) {
    const found = yield* reader.query({ _tag: "Get", key })
    const value = found === null ? 0 : Number(decoder.decode(found.value))
    const told = counts.get(key) ?? 0
    if (value !== told)
      return yield* new Broken({ message: `${key} is at ${value}, its client was told ${told}` })
    return value
  })

  return {
    acknowledged: () => calls.length,
    longestWaitMillis: (fromMillis, toMillis) =>
      calls
        .filter(({ answeredMillis, sentMillis }) => sentMillis <= toMillis && answeredMillis >= fromMillis)
        .reduce((longest, call) => Math.max(longest, call.answeredMillis - call.sentMillis), 0),
    stop: Effect.gen(function* () {
      stopping = true
      yield* Effect.forEach(clients, Fiber.join, { discard: true })
      const values = yield* Effect.forEach(keys, check)
      return values.reduce((sum, value) => sum + value, 0)
    }).pipe(
      Effect.mapError((error) => (error instanceof Broken ? error : new Broken({ message: String(error) })))
    )
  }
})

const connect = (endpoints: ReadonlyArray<string>) =>
  Effect.provide(RaftClient.make(KvMachine.machine, { endpoints }), transport)

const transport = Layer.fresh(TcpClientTransport.layer())

const encoder = new TextEncoder()
const decoder = new TextDecoder()
