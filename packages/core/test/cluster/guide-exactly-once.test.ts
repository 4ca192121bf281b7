/**
 * The examples of docs/guides/exactly-once.md and docs/guides/rolling-upgrade.md. The blocks of the guides stand
 * in this file word for word, and the last test compares them.
 */
import * as StateMachine from "@effect-raft/core/StateMachine"
import * as Schema from "effect/Schema"

// guide: machine
class Counter extends StateMachine.Service<Counter>()("app/Counter", {
  command: Schema.TaggedUnion({ Increment: { by: Schema.Int }, Reset: {} }),
  reply: Schema.Int,
  state: Schema.Int,
  initial: 0,
  version: 1,
  apply: (total, command, meta) => {
    // Version 1: a counter does not fall below 0.
    const sum = command._tag === "Reset" ? 0 : total + command.by
    const next = meta.machineVersion >= 1 ? Math.max(0, sum) : sum
    return { state: next, reply: next }
  },
  // Brings the state into its new form, once, at the same command everywhere.
  upgrade: (total, { from }) => (from < 1 ? Math.max(0, total) : total)
}) {}
// guide: end

// guide: use
import * as Session from "@effect-raft/core/Session"
import * as Effect from "effect/Effect"

const countTwice = Effect.gen(function* () {
  const raft = yield* Counter.Raft
  const session = yield* Session.open(raft.sessions)

  // Each is applied once, whoever dies meanwhile.
  yield* session.propose({ _tag: "Increment", by: 2 })
  return yield* session.propose({ _tag: "Increment", by: 2 })
}).pipe(Effect.scoped)
// guide: end

// guide: expired
const countOnce = Effect.gen(function* () {
  const raft = yield* Counter.Raft
  const before = yield* raft.read((total) => total)
  const session = yield* Session.open(raft.sessions)
  return yield* session.propose({ _tag: "Increment", by: 2 }).pipe(
    Effect.catchReason("RaftError", "SessionExpired", (expired) =>
      // Nobody else counts here, so a look at the state settles it.
      expired.outcome === "unknown" ? raft.read((total) => total) : Effect.succeed(before)
    )
  )
}).pipe(Effect.scoped)
// guide: end

import * as RaftTest from "@effect-raft/core/testing/RaftTest"
import { assert, it } from "@effect/vitest"
import { readFileSync } from "node:fs"

it.effect("the examples do what the guides say", () =>
  Effect.gen(function* () {
    const cluster = yield* RaftTest.make(Counter, { size: 3, seed: "guide" })
    const leader = yield* cluster.awaitLeader()
    const at = Effect.provideService(Counter.Raft, cluster.raft(leader))
    assert.strictEqual(yield* cluster.drive(at(countTwice)), 4)
    assert.strictEqual(yield* cluster.drive(at(countOnce)), 6)
    yield* cluster.advance("1 second")
    assert.strictEqual((yield* cluster.raft(leader).status).machineVersion, 1)
    assert.strictEqual(yield* cluster.propose({ _tag: "Increment", by: -10 }), 0)
  })
)

it("the guides show this file", () => {
  const file = readFileSync(new URL(import.meta.url), "utf8")
  const regions = Array.from(
    file.matchAll(/^\/\/ guide: (?!end).*\n([^]*?)\/\/ guide: end/gm),
    ([, code]) => code
  )
  const shownIn = (name: string) => {
    const guide = readFileSync(new URL(`../../../../docs/guides/${name}.md`, import.meta.url), "utf8")
    return Array.from(guide.matchAll(/^```ts\n([^]*?)^```/gm), ([, code]) => code)
  }
  assert.deepStrictEqual([...shownIn("rolling-upgrade"), ...shownIn("exactly-once")], regions)
})
