/** Who waits to hear of another leader hears of it as soon as the node does, whenever that is. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as LeaderNews from "../../src/internal/LeaderNews.ts"
import { Watchers } from "../../src/internal/Watchers.ts"

/** A node that hears of a leader when it is told, and a question that can be answered from then on. */
const setUp = Effect.gen(function* () {
  const watchers = new Watchers()
  const news = yield* LeaderNews.make(watchers)
  yield* Effect.yieldNow
  const node = { hasLeader: false, answers: 0 }
  const question = (): boolean => {
    if (node.hasLeader) node.answers += 1
    return node.hasLeader
  }
  const hearsOfLeader = (): void => {
    node.hasLeader = true
    watchers.notify()
  }
  return { hearsOfLeader, news, node, question, watchers }
})

/** Lets everybody run who can. */
const settled = Effect.repeat(Effect.yieldNow, { times: 5 })

/** The same node, which was asked and waits for news. */
const asked = Effect.tap(setUp, ({ news, question }) =>
  Effect.andThen(
    Effect.sync(() => news.ask(question)),
    settled
  )
)

it.effect("a question is answered when the node hears of a leader", () =>
  Effect.gen(function* () {
    const { hearsOfLeader, node, watchers } = yield* asked
    watchers.notify()
    yield* settled
    assert.strictEqual(node.answers, 0)
    hearsOfLeader()
    yield* settled
    assert.strictEqual(node.answers, 1)
    watchers.notify()
    yield* settled
    assert.strictEqual(node.answers, 1, "it is answered once")
  })
)

it.effect("a question is answered also where the news come right behind others", () =>
  Effect.gen(function* () {
    const { hearsOfLeader, node, watchers } = yield* asked
    watchers.notify()
    hearsOfLeader()
    yield* settled
    assert.strictEqual(node.answers, 1)
  })
)

it.effect("a question that was taken back is not answered", () =>
  Effect.gen(function* () {
    const { hearsOfLeader, news, node, question } = yield* asked
    news.forget(question)
    hearsOfLeader()
    yield* settled
    assert.strictEqual(node.answers, 0)
  })
)
