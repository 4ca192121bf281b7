/** A node that is told to stop hands over, and waits for nobody longer than an election timeout. */
import { NodeId } from "@effect-raft/core/NodeId"
import { because, NoLeader } from "@effect-raft/core/RaftError"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { handOver } from "../src/HandOver.ts"

describe("handing over", () => {
  it.effect("ends when another leads", () =>
    handOver({ transferLeadership: () => Effect.succeed(NodeId.make("n2")) }, 500)
  )

  it.effect("ends when it is refused", () =>
    handOver({ transferLeadership: () => Effect.fail(because(new NoLeader({ waitedMillis: 3000 }))) }, 500)
  )

  it.effect("is given up after an election timeout, when nobody is left to lead", () =>
    Effect.gen(function* () {
      const stopping = yield* Effect.forkChild(handOver({ transferLeadership: () => Effect.never }, 500), {
        startImmediately: true
      })
      yield* TestClock.adjust(499)
      assert.isUndefined(stopping.pollUnsafe())
      yield* TestClock.adjust(1)
      yield* Fiber.join(stopping)
    })
  )
})
