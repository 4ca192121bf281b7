/**
 * A short form of the shows: clients count in sessions while the leadership is handed over, a leader is
 * stopped, and another is killed. What a show says of pauses is for a machine that is left alone.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Operator from "../../apps/demo/src/Operator.ts"
import * as Counting from "../shows/Counting.ts"
import { operatorOf } from "../shows/OperatorOf.ts"
import * as Processes from "../shows/Processes.ts"

describe("clients that count", () => {
  it.live("lose nothing and count nothing twice, whatever becomes of their leaders", () =>
    Effect.gen(function* () {
      const places = yield* Processes.places(3)
      const running = new Map<string, Processes.Running>()
      const start = (place: Processes.Place) =>
        Effect.map(Processes.start(place, places), (node) => running.set(place.id, node))
      yield* Effect.forEach(places, start)
      const operator = operatorOf(places)
      const counting = yield* Counting.start(
        places.map(({ clients }) => clients),
        4
      )
      /** Every client has gone on since. */
      const progress = Effect.suspend(() => {
        const wanted = counting.acknowledged() + 40
        return Effect.repeat(Effect.sleep(10), { until: () => counting.acknowledged() >= wanted })
      })
      yield* progress
      yield* Operator.atLeader(operator, (client) => client.transferLeadership({ payload: {} }), {
        lookAt: "it"
      })
      yield* progress
      for (const signal of ["SIGTERM", "SIGKILL"] as const) {
        const { leader } = yield* Operator.look(operator)
        const node = running.get(leader ?? "")!
        node.kill(signal)
        yield* node.ended
        yield* progress
        yield* start(node.place)
      }
      assert.strictEqual(yield* counting.stop, counting.acknowledged())
    })
  )
})
