/**
 * A connection's sense of life, without sockets: two ends joined in memory, under a test's clock.
 */
import { assert, describe, it } from "@effect/vitest"
import { LogIndex } from "@effect-raft/core/LogIndex"
import type { RaftMessage } from "@effect-raft/core/RaftMessage"
import { Term } from "@effect-raft/core/Term"
import { nothingAsked } from "@effect-raft/transport-tcp/Certificate"
import { Connection } from "@effect-raft/transport-tcp/Connection"
import { FrameReader } from "@effect-raft/transport-tcp/FrameReader"
import type { ConnectionLost } from "@effect-raft/transport-tcp/PeerError"
import type { Wire } from "@effect-raft/transport-tcp/Wire"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as TestClock from "effect/testing/TestClock"

const message = (round: number): RaftMessage => ({
  _tag: "AppendAccepted",
  term: Term.make(1),
  matchIndex: LogIndex.make(0),
  round
})

/** One end: it reads from `incoming` and writes to `outgoing`, one item for each write. */
const openEnd = Effect.fnUntraced(function* (
  incoming: Queue.Queue<Uint8Array>,
  outgoing: Queue.Queue<Uint8Array>
) {
  const outbox: Array<RaftMessage> = []
  const received: Array<RaftMessage> = []
  const wire: Wire = {
    remote: { host: "memory", port: 0 },
    proof: nothingAsked,
    pull: Queue.takeAll(incoming),
    write: (ranges) => Effect.asVoid(Queue.offer(outgoing, Buffer.concat(ranges))),
    finish: Effect.void,
    destroy: Effect.void
  }
  const connection = new Connection({
    wire,
    reader: new FrameReader(1024),
    maxFrameBytes: 1024,
    keepAliveMillis: 1000,
    silenceMillis: 5000,
    nextMessage: () => outbox.shift(),
    onMessage: (message) => received.push(message)
  })
  const fiber: Fiber.Fiber<never, ConnectionLost> = yield* Effect.forkScoped(connection.run, {
    startImmediately: true
  })
  return { connection, fiber, outbox, received }
})

const bytes = Queue.dropping<Uint8Array>(1000)

describe("Connection", () => {
  it.effect("lives through any idle time while both ends are there", () =>
    Effect.gen(function* () {
      const [there, back] = [yield* bytes, yield* bytes]
      const one = yield* openEnd(back, there)
      const other = yield* openEnd(there, back)
      yield* TestClock.adjust("1 hour")
      one.outbox.push(message(1))
      one.connection.ring()
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(other.received, [message(1)])
      assert.isUndefined(one.fiber.pollUnsafe())
      assert.isUndefined(other.fiber.pollUnsafe())
    })
  )

  it.effect("ends when nothing was heard for the time that is set, and says so", () =>
    Effect.gen(function* () {
      const { fiber } = yield* openEnd(yield* bytes, yield* bytes)
      yield* TestClock.adjust(4999)
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust(1)
      const lost = yield* Effect.flip(Fiber.join(fiber))
      assert.strictEqual(lost.message, "nothing was heard for 5000 ms")
    })
  )

  it.effect("writes once for all that is sent in one turn", () =>
    Effect.gen(function* () {
      const written = yield* bytes
      const { connection, outbox } = yield* openEnd(yield* bytes, written)
      for (let round = 0; round < 100; round++) {
        outbox.push(message(round))
        connection.ring()
      }
      assert.strictEqual(Queue.sizeUnsafe(written), 0, "nothing is written inside `ring`")
      yield* Effect.yieldNow
      assert.strictEqual(Queue.sizeUnsafe(written), 1)
    })
  )
})
