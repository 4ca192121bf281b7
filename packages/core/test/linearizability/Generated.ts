/**
 * Histories from a seed: small ones that may or may not be linearizable, and long ones that are, because
 * a real sequential store answered them.
 */
import type { Outcome } from "@effect-raft/core/testing/History"
import type { KvInput, KvOperation, KvOutput } from "@effect-raft/core/testing/KvModel"

/** How often each operation comes, and which part of them ends with nobody knowing how. */
export interface Mix {
  readonly get: number
  readonly put: number
  readonly append: number
  readonly cas: number
  readonly delete: number
  readonly unknown: number
}

const none = { get: 0, put: 0, append: 0, cas: 0, delete: 0, unknown: 0 }

export const mixes = {
  register: { ...none, get: 5, put: 5 },
  "register with unknown writes": { ...none, get: 5, put: 5, unknown: 0.3 },
  "mostly writes": { ...none, get: 2, put: 8, unknown: 0.1 },
  "compare and set": { ...none, get: 4, put: 3, cas: 3, unknown: 0.1 },
  appends: { ...none, get: 3, append: 7, unknown: 0.2 },
  everything: { get: 4, put: 2, append: 2, cas: 1, delete: 1, unknown: 0.1 }
} satisfies Record<string, Mix>

type Random = () => number

/** Mulberry32: a number from 0 to 1, the same every time for the same seed. */
const randomFrom = (seed: number): Random => {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const pick = <A>(random: Random, values: ReadonlyArray<A>): A => values[Math.floor(random() * values.length)]!

const pickOp = (random: Random, mix: Mix): KvInput["op"] => {
  const ops = ["get", "put", "append", "cas", "delete"] as const
  let left = random() * ops.reduce((sum, op) => sum + mix[op], 0)
  return ops.find((op) => (left -= mix[op]) < 0) ?? "get"
}

const inputOf = (op: KvInput["op"], value: string, expected: string | null): KvInput => {
  switch (op) {
    case "get":
    case "delete":
      return { op, key: "k" }
    case "put":
    case "append":
      return { op, key: "k", value }
    case "cas":
      return { op, key: "k", expected, value }
  }
}

/** At most seven operations with few values and times that often touch. */
export const smallHistory = (seed: number, mix: Mix): Array<KvOperation> => {
  const random = randomFrom(seed)
  const values = ["a", "b", "ab"]
  const count = 2 + Math.floor(random() * 6)
  const span = 4 + Math.floor(random() * 12)
  return Array.from({ length: count }, (_, client) => {
    const input = inputOf(pickOp(random, mix), pick(random, values), pick(random, [...values, null]))
    const callNanos = Math.floor(random() * span)
    const returnNanos = callNanos + Math.floor(random() * 6)
    return { client, input, callNanos, returnNanos, outcome: smallOutcome(random, input, mix) }
  })
}

const smallOutcome = (random: Random, { op }: KvInput, mix: Mix): Outcome<KvOutput> => {
  const chance = random()
  if (chance < 0.05) return { _tag: "Fail" }
  if (chance < 0.05 + mix.unknown) return { _tag: "Unknown" }
  if (op === "get") {
    return { _tag: "Ok", output: pick(random, mix.append > 0 ? [null, "a", "ab", "ba"] : [null, "a", "b"]) }
  }
  if (op === "cas") return { _tag: "Ok", output: random() < 0.5 }
  return { _tag: "Ok", output: op === "delete" ? pick(random, [true, false, null]) : null }
}

/**
 * Clients that wait for each answer, every value written once. Each operation takes effect at a moment
 * between its call and its return; an unknown one does so half of the time.
 */
export const longHistory = (options: {
  readonly seed: number
  readonly count: number
  readonly clients: number
  readonly mix: Mix
}): Array<KvOperation> => {
  const random = randomFrom(options.seed)
  const freeAt = Array.from({ length: options.clients }, () => 0)
  const times = Array.from({ length: options.count }, (_, id) => {
    const client = freeAt.indexOf(Math.min(...freeAt))
    const callNanos = freeAt[client]! + random() * 10
    const effectNanos = callNanos + random() * 50
    const returnNanos = effectNanos + random() * 50
    freeAt[client] = returnNanos
    return { id, client, callNanos, effectNanos, returnNanos }
  })
  let state: string | null = null
  return times
    .sort((a, b) => a.effectNanos - b.effectNanos)
    .map(({ id, client, callNanos, returnNanos }) => {
      const expected = random() < 0.7 ? state : `v${Math.floor(random() * id)};`
      const input = inputOf(pickOp(random, options.mix), `v${id};`, expected)
      const isUnknown = input.op !== "get" && random() < options.mix.unknown
      const before: string | null = state
      if (!isUnknown || random() < 0.5) state = after(before, input)
      const outcome: Outcome<KvOutput> = isUnknown
        ? { _tag: "Unknown" }
        : { _tag: "Ok", output: answer(before, input) }
      return { client, input, callNanos, returnNanos, outcome }
    })
}

const after = (state: string | null, input: KvInput): string | null => {
  switch (input.op) {
    case "get":
      return state
    case "put":
      return input.value
    case "append":
      return (state ?? "") + input.value
    case "cas":
      return state === input.expected ? input.value : state
    case "delete":
      return null
  }
}

const answer = (state: string | null, input: KvInput): KvOutput => {
  if (input.op === "get") return state
  return input.op === "cas" ? state === input.expected : null
}

/** A short history of unique values in which one read, chosen by the seed, may have got another's answer. */
export const shortHistory = (seed: number, mix: Mix): Array<KvOperation> => {
  const random = randomFrom(seed)
  const operations = longHistory({ seed, count: 7, clients: 2 + Math.floor(random() * 3), mix })
  const reads = operations.filter(({ input, outcome }) => input.op === "get" && outcome._tag === "Ok")
  if (reads.length === 0 || random() < 0.3) return operations
  const wrong = pick(random, reads)
  const output = pick(random, [pick(random, reads).outcome, { _tag: "Ok", output: "v1;" } as const])
  return operations.map((operation) => (operation === wrong ? { ...operation, outcome: output } : operation))
}

/**
 * The same history, but one late read answers what an earlier read had answered, though a third read had
 * since answered something else, and nothing came back: values are written once.
 */
export const withStaleRead = (operations: ReadonlyArray<KvOperation>): Array<KvOperation> => {
  const reads = operations.filter(
    ({ input, outcome }) => input.op === "get" && outcome._tag === "Ok" && outcome.output !== null
  )
  const stale = reads[Math.floor(reads.length * 0.9)]!
  const between = reads.findLast(({ returnNanos }) => returnNanos < stale.callNanos)!
  const source = reads.findLast(
    ({ returnNanos, outcome }) =>
      returnNanos < between.callNanos && outputOf(outcome) !== outputOf(between.outcome)
  )!
  return operations.map((operation) =>
    operation === stale ? { ...operation, outcome: source.outcome } : operation
  )
}

const outputOf = (outcome: Outcome<KvOutput>): KvOutput | undefined =>
  outcome._tag === "Ok" ? outcome.output : undefined
