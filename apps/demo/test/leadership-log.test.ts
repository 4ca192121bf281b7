/** The line by which a node says since when it leads: one for each term, with the time of the election. */
import type { RaftStatus } from "@effect-raft/core/RaftStatus"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as LeadershipLog from "../src/LeadershipLog.ts"

const status = (role: RaftStatus["role"], term: number) => ({ nodeId: "n1", role, term }) as RaftStatus

it.effect("a node says once for each term that it leads, and when that began", () =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => void lines.push(String(message)))
    const changes = Stream.fromArray([
      status("Follower", 1),
      status("Leader", 2),
      status("Leader", 2),
      status("Follower", 3),
      status("Leader", 4)
    ])
    const paced = Stream.mapEffect(changes, (one) => Effect.delay(Effect.succeed(one), "10 seconds"))
    const running = LeadershipLog.keep(Stream.concat(paced, Stream.never))
    const saying = yield* Effect.forkChild(Effect.provide(running, Logger.layer([logger])), {
      startImmediately: true
    })
    yield* TestClock.adjust("20500 millis")
    assert.deepStrictEqual(lines, [])
    yield* TestClock.adjust("60 seconds")
    yield* Fiber.interrupt(saying)
    assert.deepStrictEqual(lines, [
      "n1 leads in term 2 since 1970-01-01T00:00:20.000Z",
      "n1 leads in term 4 since 1970-01-01T00:00:50.000Z"
    ])
  })
)
