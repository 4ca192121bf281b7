/**
 * The clients of a lin-kv test, and what they remember: every operation with the times between which it
 * took effect, if it did.
 *
 * They know of an operation what Maelstrom's clients would: an answer, a definite error, which says that
 * it never happened, or nothing.
 */
import * as Recording from "@effect-raft/core/testing/History"
import type { Operation } from "@effect-raft/core/testing/History"
import type { RegisterInput, RegisterOutput } from "@effect-raft/core/testing/RegisterModel"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { Body } from "../../src/maelstrom/Message.ts"
import type { Network } from "./Network.ts"

/** The operations by key: to the checker every key is a register of its own. */
export type History = ReadonlyMap<string, ReadonlyArray<Operation<RegisterInput, RegisterOutput>>>

export interface Clients {
  /** Every client asks one thing after another, of any node, until `stop`. */
  readonly run: Effect.Effect<void>
  readonly stop: () => void
  /** How many operations were answered with a value, in all or by one node. */
  readonly answered: (nodeId?: string) => number
  readonly history: Effect.Effect<History>
}

/** An answer that is an error, and not one that tells about the value. */
class Refused {
  readonly code: number
  constructor(code: number) {
    this.code = code
  }
}

const definite: ReadonlySet<number> = new Set([1, 10, 11, 12, 14])

export const make = Effect.fnUntraced(function* (options: {
  readonly network: Network
  readonly count: number
  readonly keys: NonEmptyReadonlyArray<string>
}) {
  const { network, count, keys } = options
  const recorders = new Map<string, Recording.Recorder<RegisterInput, RegisterOutput>>()
  for (const key of keys) recorders.set(key, yield* Recording.make<RegisterInput, RegisterOutput>())
  const lastSeen = new Map<string, number>()
  const answered = new Map<string, number>()
  let nextValue = 1
  let stopped = false

  /** Every value is written once, so that a read tells which write it saw. */
  const draw = Effect.fnUntraced(function* (key: string) {
    const kind = yield* Random.nextIntBetween(0, 5)
    if (kind <= 2) return { op: "read" } satisfies RegisterInput
    if (kind <= 4) return { op: "write", value: nextValue++ } satisfies RegisterInput
    return { op: "cas", from: lastSeen.get(key) ?? 0, to: nextValue++ } satisfies RegisterInput
  })

  const operate = Effect.fnUntraced(function* (client: number) {
    const key = yield* Random.choice(keys)
    const nodeId = yield* Random.choice(network.nodeIds)
    const input = yield* draw(key)
    const asked = Effect.flatMap(network.ask(nodeId, { ...toBody(input), key }), (body) =>
      body["type"] === "error" && body["code"] !== 20 && body["code"] !== 22
        ? Effect.fail(new Refused(Number(body["code"])))
        : Effect.succeed(body)
    )
    const recorder = recorders.get(key)!
    yield* recorder
      .record(asked, {
        client,
        input,
        output: (body) => toOutput(input, body),
        didNotHappen: (error) => error !== "TimedOut" && definite.has(error.code)
      })
      .pipe(
        Effect.tap((body) =>
          Effect.sync(() => {
            answered.set(nodeId, (answered.get(nodeId) ?? 0) + 1)
            const value = valueAfter(input, body)
            if (value !== undefined) lastSeen.set(key, value)
          })
        ),
        Effect.ignore
      )
  })

  const clients: Clients = {
    run: Effect.forEach(
      Array.from({ length: count }, (_, client) => client),
      (client) => Effect.repeat(operate(client), { until: () => stopped }),
      { concurrency: "unbounded", discard: true }
    ),
    stop: () => {
      stopped = true
    },
    answered: (nodeId) =>
      nodeId === undefined
        ? [...answered.values()].reduce((total, one) => total + one, 0)
        : (answered.get(nodeId) ?? 0),
    history: Effect.gen(function* () {
      const byKey = yield* Effect.forEach(recorders, ([key, { operations }]) =>
        Effect.map(operations, (recorded) => [key, recorded] as const)
      )
      return new Map(byKey)
    })
  }
  return clients
})

const toBody = (input: RegisterInput): Body => {
  const { op, ...rest } = input
  return { type: op, ...rest }
}

const toOutput = (input: RegisterInput, body: Body): RegisterOutput => {
  if (input.op === "read") return body["type"] === "read_ok" ? Number(body["value"]) : null
  return input.op === "write" ? null : body["type"] === "cas_ok"
}

const valueAfter = (input: RegisterInput, body: Body): number | undefined => {
  switch (body["type"]) {
    case "read_ok":
      return Number(body["value"])
    case "write_ok":
      return input.op === "write" ? Number(input.value) : undefined
    case "cas_ok":
      return input.op === "cas" ? Number(input.to) : undefined
    default:
      return undefined
  }
}
