/**
 * The checker against the definition: every order of a small history is tried, and the verdicts must
 * agree; then the classic anomalies by name, and histories long enough to hurt.
 */
import { assert, describe, it } from "@effect/vitest"
import type { Operation } from "@effect-raft/core/testing/History"
import * as Linearizability from "@effect-raft/core/testing/Linearizability"
import type { KvInput, KvOperation, KvOutput } from "@effect-raft/core/testing/KvModel"
import { KvModel } from "@effect-raft/core/testing/KvModel"
import type { RegisterInput, RegisterOutput } from "@effect-raft/core/testing/RegisterModel"
import { RegisterModel } from "@effect-raft/core/testing/RegisterModel"
import { allOrders } from "./linearizability/allOrders.ts"
import * as Generated from "./linearizability/Generated.ts"

describe("the checker agrees with trying every order", () => {
  const verdicts = (
    generate: (seed: number, mix: Generated.Mix) => Array<KvOperation>,
    mix: Generated.Mix,
    count: number
  ) => {
    const counts = { Linearizable: 0, NotLinearizable: 0, TooHard: 0 }
    for (let seed = 1; seed <= count; seed++) {
      const operations = generate(seed, mix)
      const verdict = Linearizability.check(KvModel, operations)
      const expected = allOrders(KvModel, operations) ? "Linearizable" : "NotLinearizable"
      assert.strictEqual(
        verdict._tag,
        expected,
        `seed ${seed}\n${JSON.stringify(operations, null, 1)}\n${Linearizability.render(KvModel, verdict)}`
      )
      counts[verdict._tag]++
    }
    return counts
  }

  for (const [name, mix] of Object.entries(Generated.mixes)) {
    it(`on small histories of few values: ${name}`, () => {
      const counts = verdicts(Generated.smallHistory, mix, 3_000)
      assert.isAbove(counts.Linearizable, 300)
      assert.isAbove(counts.NotLinearizable, 300)
    })

    it(`on small histories of unique values: ${name}`, () => {
      const counts = verdicts(Generated.shortHistory, mix, 3_000)
      assert.isAbove(counts.Linearizable, 300)
      assert.isAbove(counts.NotLinearizable, 100)
    })
  }

  it("also when somebody proposes an order, be it right or wrong", () => {
    const proven = { right: 0, wrong: 0 }
    for (let seed = 1; seed <= 6_000; seed++) {
      const operations = Generated.smallHistory(seed, Generated.mixes.everything)
      const ended = operations.filter(({ outcome }) => outcome._tag === "Ok")
      const expected = Linearizability.check(KvModel, operations)
      const proposals = [
        ended.toSorted((one, other) => one.returnNanos - other.returnNanos),
        ended.toSorted((one, other) => one.callNanos - other.callNanos),
        ended.toReversed(),
        // One is missing, and one is there twice.
        ended.slice(1),
        [...ended, ...ended.slice(-1)],
        operations
      ]
      for (const order of proposals) {
        const { _tag, steps } = Linearizability.check(KvModel, operations, { order })
        assert.strictEqual(_tag, expected._tag, `seed ${seed}`)
        if (ended.length > 2 && order.length === ended.length && steps === order.length) proven.right++
        else proven.wrong++
      }
    }
    assert.isAbove(proven.right, 300)
    assert.isAbove(proven.wrong, 300)
  })

  it("also without any of the model's hints", () => {
    const { initial, step, key } = KvModel
    for (let seed = 1; seed <= 2_000; seed++) {
      const operations = Generated.smallHistory(seed, Generated.mixes.everything)
      const { _tag } = Linearizability.check({ initial, step, key }, operations)
      assert.strictEqual(_tag, Linearizability.check(KvModel, operations)._tag, `seed ${seed}`)
    }
  })
})

const ok = (
  client: number,
  input: KvInput,
  output: KvOutput,
  [callNanos, returnNanos]: readonly [number, number]
): KvOperation => ({ client, input, callNanos, returnNanos, outcome: { _tag: "Ok", output } })

const ended = (
  client: number,
  input: KvInput,
  _tag: "Fail" | "Unknown",
  [callNanos, returnNanos]: readonly [number, number]
): KvOperation => ({ client, input, callNanos, returnNanos, outcome: { _tag } })

const get = { op: "get", key: "x" } as const
const put = (value: string) => ({ op: "put", key: "x", value }) as const
const append = (value: string) => ({ op: "append", key: "x", value }) as const
const cas = (expected: string | null, value: string) => ({ op: "cas", key: "x", expected, value }) as const
const remove = { op: "delete", key: "x" } as const

const verdictOf = (...operations: ReadonlyArray<KvOperation>) =>
  Linearizability.check(KvModel, operations)._tag

describe("anomalies by name", () => {
  it("accepts the empty history, and a read of nothing", () => {
    assert.strictEqual(verdictOf(), "Linearizable")
    assert.strictEqual(verdictOf(ok(1, get, null, [0, 1])), "Linearizable")
  })

  it("rejects a stale read", () => {
    const writes = [ok(1, put("a"), null, [0, 1]), ok(1, put("b"), null, [2, 3])]
    assert.strictEqual(verdictOf(...writes, ok(2, get, "b", [4, 5])), "Linearizable")
    assert.strictEqual(verdictOf(...writes, ok(2, get, "a", [4, 5])), "NotLinearizable")
    assert.strictEqual(verdictOf(...writes, ok(2, get, "a", [2, 5])), "Linearizable")
  })

  it("rejects a read of a value that was never written", () => {
    assert.strictEqual(verdictOf(ok(1, put("a"), null, [0, 9]), ok(2, get, "b", [1, 2])), "NotLinearizable")
  })

  it("rejects a lost update", () => {
    const first = ok(1, append("a"), null, [0, 4])
    const second = ok(2, append("b"), null, [1, 3])
    assert.strictEqual(verdictOf(first, second, ok(3, get, "ba", [5, 6])), "Linearizable")
    assert.strictEqual(verdictOf(first, second, ok(3, get, "b", [5, 6])), "NotLinearizable")
    assert.strictEqual(
      verdictOf(
        ok(1, put("0"), null, [0, 1]),
        ok(1, cas("0", "1"), true, [2, 5]),
        ok(2, cas("0", "2"), true, [3, 4])
      ),
      "NotLinearizable"
    )
  })

  it("rejects two clients who read two writes in opposite order", () => {
    const writes = [ok(1, put("a"), null, [0, 9]), ok(2, put("b"), null, [0, 9])]
    const reader = (client: number, first: string, second: string) => [
      ok(client, get, first, [1, 3]),
      ok(client, get, second, [4, 8])
    ]
    assert.strictEqual(verdictOf(...writes, ...reader(3, "a", "b"), ...reader(4, "a", "b")), "Linearizable")
    assert.strictEqual(
      verdictOf(...writes, ...reader(3, "a", "b"), ...reader(4, "b", "a")),
      "NotLinearizable"
    )
  })

  it("lets an unknown write be seen late, or never, but not before its call, and not twice", () => {
    const unknown = ended(1, put("late"), "Unknown", [0, 1])
    const other = ok(2, put("b"), null, [2, 3])
    assert.strictEqual(verdictOf(unknown, other, ok(2, get, "b", [4, 5])), "Linearizable")
    assert.strictEqual(
      verdictOf(unknown, other, ok(2, get, "b", [4, 5]), ok(2, get, "late", [100, 101])),
      "Linearizable"
    )
    assert.strictEqual(
      verdictOf(ok(2, get, "late", [0, 1]), ended(1, put("late"), "Unknown", [2, 3])),
      "NotLinearizable"
    )
    assert.strictEqual(
      verdictOf(
        unknown,
        ok(2, get, "late", [4, 5]),
        ok(2, put("b"), null, [6, 7]),
        ok(2, get, "late", [8, 9])
      ),
      "NotLinearizable"
    )
  })

  it("counts unknown appends, each at most once", () => {
    const unknown = [ended(1, append("a"), "Unknown", [0, 1]), ended(2, append("a"), "Unknown", [0, 1])]
    assert.strictEqual(verdictOf(...unknown, ok(3, get, "aa", [2, 3])), "Linearizable")
    assert.strictEqual(verdictOf(...unknown, ok(3, get, "aaa", [2, 3])), "NotLinearizable")
  })

  it("leaves out what surely failed", () => {
    assert.strictEqual(
      verdictOf(ended(1, put("a"), "Fail", [0, 1]), ok(2, get, "a", [2, 3])),
      "NotLinearizable"
    )
    assert.strictEqual(
      verdictOf(ended(1, put("a"), "Fail", [0, 1]), ok(2, get, null, [2, 3])),
      "Linearizable"
    )
  })

  it("lets an unseen unknown write explain a compare-and-set that found something else", () => {
    const history = [
      ok(1, put("a"), null, [0, 1]),
      ended(2, put("nobody saw it"), "Unknown", [2, 3]),
      ok(1, cas("a", "b"), false, [4, 5])
    ]
    assert.strictEqual(verdictOf(...history), "Linearizable")
    assert.strictEqual(verdictOf(...history.filter(({ client }) => client === 1)), "NotLinearizable")
  })

  it("knows whether a delete found something, where that is told", () => {
    const written = ok(1, put("a"), null, [0, 1])
    assert.strictEqual(
      verdictOf(written, ok(1, remove, true, [2, 3]), ok(1, get, null, [4, 5])),
      "Linearizable"
    )
    assert.strictEqual(verdictOf(written, ok(1, remove, false, [2, 3])), "NotLinearizable")
    assert.strictEqual(verdictOf(ok(1, remove, null, [2, 3])), "Linearizable")
  })

  it("takes operations that touch for concurrent", () => {
    assert.strictEqual(verdictOf(ok(1, put("a"), null, [0, 5]), ok(2, get, null, [5, 6])), "Linearizable")
    assert.strictEqual(verdictOf(ok(1, put("a"), null, [0, 5]), ok(2, get, null, [6, 7])), "NotLinearizable")
  })

  it("looks at each key by itself, and names the one that is wrong", () => {
    const other = { op: "get", key: "y" } as const
    const verdict = Linearizability.check(KvModel, [
      ok(1, put("a"), null, [0, 1]),
      ok(1, get, "a", [2, 3]),
      ok(2, other, "a", [2, 3])
    ])
    assert(verdict._tag === "NotLinearizable")
    assert.strictEqual(verdict.partition, `key "y"`)
  })

  it("refuses a history in which an answer comes before its question", () => {
    assert.throws(() => verdictOf(ok(1, get, null, [5, 4])), /client 1 is called at 5 ns and returns at 4 ns/)
  })
})

describe("the register", () => {
  const at = (
    input: RegisterInput,
    output: RegisterOutput,
    callNanos: number
  ): Operation<RegisterInput, RegisterOutput> => ({
    client: 1,
    input,
    callNanos,
    returnNanos: callNanos + 1,
    outcome: { _tag: "Ok", output }
  })
  const swap = { op: "cas", from: 1, to: 2 } as const

  it("reads, writes and compares as Maelstrom's lin-kv does", () => {
    const history = [
      at({ op: "read" }, null, 0),
      at(swap, false, 2),
      at({ op: "write", value: 1 }, null, 4),
      at(swap, true, 6),
      at({ op: "read" }, 2, 8)
    ]
    assert.strictEqual(Linearizability.check(RegisterModel, history)._tag, "Linearizable")
    const wrong = [...history, at(swap, true, 10)]
    assert.strictEqual(Linearizability.check(RegisterModel, wrong)._tag, "NotLinearizable")
  })
})

describe("the counterexample", () => {
  it("holds the longest order, what does not fit after it, and says so in words", () => {
    const verdict = Linearizability.check(KvModel, [
      ok(1, put("a"), null, [0, 1]),
      ok(1, put("b"), null, [2, 3]),
      ok(2, get, "b", [4, 5]),
      ok(2, get, "a", [6, 7]),
      ok(1, put("c"), null, [8, 9])
    ])
    assert(verdict._tag === "NotLinearizable")
    const { placed, state, unplaced, overdue } = verdict.counterexample
    assert.deepStrictEqual(
      placed.map(({ callNanos }) => callNanos),
      [0, 2, 4]
    )
    assert.strictEqual(state, "b")
    assert.deepStrictEqual(
      unplaced.map(({ callNanos }) => callNanos),
      [6]
    )
    assert.strictEqual(overdue.callNanos, 6)
    const text = Linearizability.render(KvModel, verdict)
    assert.include(text, `Not linearizable: key "x"`)
    assert.include(text, `client 2   get → "a"  [6, 7]`)
    assert.include(text, `the state is then: "b"`)
  })

  it("says when the bound was too small to tell", () => {
    const operations = Generated.longHistory({
      seed: 1,
      count: 200,
      clients: 10,
      mix: Generated.mixes.register
    })
    const verdict = Linearizability.check(KvModel, operations, { maxSteps: 50 })
    assert(verdict._tag === "TooHard")
    assert.isAtMost(verdict.steps, 100)
    assert.include(Linearizability.render(KvModel, verdict), "Raise maxSteps")
  })
})

// Steps, not seconds: a step takes well under a microsecond, and a bound on steps holds on every machine.
describe("long histories", () => {
  for (const [name, mix] of Object.entries(Generated.mixes)) {
    // With appends, deletes and failed swaps in one history many orders look alike for long.
    const maxSteps = name === "everything" ? 4_000_000 : 150_000
    for (const clients of [5, 15]) {
      it(`${name}, ${clients} clients: 3,000 operations pass, and fail with one stale read`, () => {
        for (let seed = 1; seed <= 2; seed++) {
          const operations = Generated.longHistory({ seed, count: 3_000, clients, mix })
          const verdict = Linearizability.check(KvModel, operations, { maxSteps })
          assert.strictEqual(verdict._tag, "Linearizable", Linearizability.render(KvModel, verdict))
          const stale = Linearizability.check(KvModel, Generated.withStaleRead(operations), { maxSteps })
          assert.strictEqual(stale._tag, "NotLinearizable")
        }
      })
    }
  }

  it("passes 20,000 operations of one client without deep recursion", () => {
    const operations = Generated.longHistory({
      seed: 1,
      count: 20_000,
      clients: 1,
      mix: Generated.mixes.register
    })
    const verdict = Linearizability.check(KvModel, operations)
    assert.strictEqual(verdict._tag, "Linearizable")
    assert.isAtMost(verdict.steps, 60_000)
  })

  it("is not trapped by hundreds of unknown writes", () => {
    const unknown = Array.from({ length: 500 }, (_, at) => ended(at + 10, put(`u${at}`), "Unknown", [at, at]))
    const stale = [
      ok(1, put("a"), null, [1000, 1001]),
      ok(1, put("b"), null, [1002, 1003]),
      ok(2, get, "a", [1004, 1005])
    ]
    const verdict = Linearizability.check(KvModel, [...unknown, ...stale])
    assert.strictEqual(verdict._tag, "NotLinearizable")
    assert.isAtMost(verdict.steps, 20_000)
    const seen = unknown.map(({ callNanos }) =>
      ok(3, get, `u${callNanos}`, [2000 + callNanos, 2000 + callNanos])
    )
    assert.strictEqual(verdictOf(...unknown, ...seen), "Linearizable")
  })
})
