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
import { FrameWriter } from "@effect-raft/transport-tcp/FrameWriter"
import * as MessageCodec from "@effect-raft/transport-tcp/MessageCodec"
import type { Receiver, Sender, Wire } from "@effect-raft/transport-tcp/Wire"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { append } from "./support/Appends.ts"

const message = (round: number): RaftMessage => ({
  _tag: "AppendAccepted",
  term: Term.make(1),
  matchIndex: LogIndex.make(0),
  round
})

/** What was written at one end, one item for each write, and who takes it at the other. */
class Pipe {
  readonly written: Array<Uint8Array> = []
  receiver: Receiver | undefined
  isFull = false

  readonly send: Sender = (ranges) => {
    const chunk = Buffer.concat(ranges)
    this.written.push(chunk)
    this.receiver?.onBytes(chunk)
    return this.isFull ? "Behind" : "Taken"
  }
}

/** One end: it reads from `incoming` and writes to `outgoing`. */
const openEnd = Effect.fnUntraced(function* (incoming: Pipe, outgoing: Pipe) {
  const outbox: Array<RaftMessage> = []
  const received: Array<RaftMessage> = []
  const wire: Wire = {
    remote: { host: "memory", port: 0 },
    proof: nothingAsked,
    pull: Effect.never,
    write: () => Effect.void,
    flow: (receiver) => {
      incoming.receiver = receiver
      return outgoing.send
    },
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

describe("Connection", () => {
  it.effect("lives through any idle time while both ends are there", () =>
    Effect.gen(function* () {
      const [there, back] = [new Pipe(), new Pipe()]
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
      const { fiber } = yield* openEnd(new Pipe(), new Pipe())
      yield* TestClock.adjust(4999)
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust(1)
      const lost = yield* Effect.flip(Fiber.join(fiber))
      assert.strictEqual(lost.message, "nothing was heard for 5000 ms")
    })
  )

  it.effect("writes once for all that is sent in one turn", () =>
    Effect.gen(function* () {
      const there = new Pipe()
      const { connection, outbox } = yield* openEnd(new Pipe(), there)
      for (let round = 0; round < 100; round++) {
        outbox.push(message(round))
        connection.ring()
      }
      assert.strictEqual(there.written.length, 0, "nothing is written inside `ring`")
      yield* Effect.yieldNow
      assert.strictEqual(there.written.length, 1)
    })
  )

  it.effect("sends at once what is pushed, with what waited before it", () =>
    Effect.gen(function* () {
      const there = new Pipe()
      const { connection, outbox } = yield* openEnd(new Pipe(), there)
      outbox.push(message(1))
      connection.ring()
      outbox.push(message(2))
      connection.push()
      assert.strictEqual(there.written.length, 1)
      assert.strictEqual(outbox.length, 0)
      yield* Effect.yieldNow
      assert.strictEqual(there.written.length, 1, "nothing is left for the microtask")
    })
  )

  it.effect("lets others' microtasks of the same turn go first", () =>
    Effect.gen(function* () {
      const there = new Pipe()
      const { connection, outbox } = yield* openEnd(new Pipe(), there)
      outbox.push(message(1))
      connection.ring()
      let before = -1
      queueMicrotask(() => {
        before = there.written.length
      })
      yield* Effect.yieldNow
      assert.deepStrictEqual([before, there.written.length], [0, 1])
    })
  )

  it.effect("sends nothing to a peer that is behind, and what waited when it has caught up", () =>
    Effect.gen(function* () {
      const [there, back] = [new Pipe(), new Pipe()]
      const { connection, outbox } = yield* openEnd(back, there)
      const say = (round: number) => {
        outbox.push(message(round))
        connection.ring()
        return Effect.yieldNow
      }
      there.isFull = true
      yield* say(1)
      yield* say(2)
      yield* say(3)
      assert.deepStrictEqual([there.written.length, outbox.length], [1, 2])
      there.isFull = false
      back.receiver?.onDrained()
      yield* Effect.yieldNow
      assert.deepStrictEqual([there.written.length, outbox.length], [2, 0])
    })
  )

  it.effect("leaves out what it was to carry of a log that has used that memory again", () =>
    Effect.gen(function* () {
      const [there, back] = [new Pipe(), new Pipe()]
      const { connection, outbox } = yield* openEnd(back, there)
      const heard = yield* openEnd(there, back)
      const { memory, message: gone } = append(0)
      outbox.push(gone)
      outbox.push(message(2))
      memory.transfer()
      connection.ring()
      yield* Effect.yieldNow
      assert.deepStrictEqual(heard.received, [message(2)])
    })
  )

  it.effect("ends with what a peer sends that is no message, and hears nothing after it", () =>
    Effect.gen(function* () {
      const back = new Pipe()
      const { fiber, received } = yield* openEnd(back, new Pipe())
      const good = new FrameWriter()
      MessageCodec.encode(good, message(1))
      const bytes = Buffer.concat(good.take())
      back.send([bytes])
      back.send([Uint8Array.of(0, 0, 0, 0, 99, 0, 0, 0)])
      back.send([bytes])
      const lost = yield* Effect.flip(Fiber.join(fiber))
      assert.include(lost.message, "unknown type 99")
      assert.deepStrictEqual(received, [message(1)])
    })
  )
})
