/**
 * Parcels on a socket: how many frames they leave in, and that what is under way is not overwritten.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as NodeEvents from "node:events"
import * as NodeNet from "node:net"
import { frameTypes } from "../src/ClientHandshake.ts"
import * as Parcel from "../src/Parcel.ts"
import { ParcelSocket, ping } from "../src/ParcelSocket.ts"

/** What arrives at one end: the numbers of each frame, and the first byte and the size of each parcel. */
interface Arrived {
  readonly frames: Array<Array<number>>
  readonly contents: Array<readonly [id: number, first: number | undefined, bytes: number]>
}

const pair: Effect.Effect<
  { readonly sender: ParcelSocket; readonly receiver: NodeNet.Socket },
  never,
  Scope.Scope
> = Effect.gen(function* () {
  const server = NodeNet.createServer()
  yield* Effect.addFinalizer(() => Effect.sync(() => server.close()))
  server.listen(0, "127.0.0.1")
  yield* Effect.promise(() => NodeEvents.once(server, "listening"))
  const { port } = server.address() as NodeNet.AddressInfo
  const accepted = NodeEvents.once(server, "connection")
  const raw = NodeNet.connect({ port, host: "127.0.0.1", noDelay: true })
  const [receiver] = (yield* Effect.promise(() => accepted)) as [NodeNet.Socket]
  const sender = new ParcelSocket(raw, optionsFor(frameTypes.Requests))
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      sender.close()
      receiver.destroy()
    })
  )
  return { sender, receiver }
})

const optionsFor = (frameType: number) => ({
  frameType,
  maxHandshakeBytes: 16 * 1024 * 1024,
  onLost: () => {}
})

/** Reads until `count` parcels are there. */
const arrivals = (receiver: NodeNet.Socket, count: number): Effect.Effect<Arrived> =>
  Effect.callback((resume) => {
    const arrived: Arrived = { frames: [], contents: [] }
    new ParcelSocket(receiver, optionsFor(frameTypes.Answers)).read((reader) => {
      while (reader.next()) {
        if (reader.type === frameTypes.Ping) continue
        const ids: Array<number> = []
        Parcel.decode(reader, (id, _kind, bytes) => {
          ids.push(id)
          arrived.contents.push([id, bytes[0], bytes.byteLength])
        })
        arrived.frames.push(ids)
      }
      if (arrived.contents.length === count) resume(Effect.succeed(arrived))
    })
    receiver.resume()
  })

const parcelOf = (id: number, bytes = 8): Parcel.Parcel => ({
  id,
  kind: 1,
  bytes: new Uint8Array(bytes).fill(id % 251)
})

it.live("what is posted within a turn leaves in one frame, or when that is asked for", () =>
  Effect.gen(function* () {
    const { receiver, sender } = yield* pair
    for (let id = 0; id < 150; id++) sender.post(parcelOf(id))
    yield* Effect.yieldNow
    for (let id = 150; id < 300; id++) {
      sender.post(parcelOf(id))
      if (sender.queued === 64) sender.flush()
    }
    const { contents, frames } = yield* arrivals(receiver, 300)
    assert.deepStrictEqual(
      frames.map(({ length }) => length),
      [150, 64, 64, 22]
    )
    assert.deepStrictEqual(
      contents.map(([id]) => id),
      Array.from({ length: 300 }, (_, id) => id)
    )
  })
)

it.live("what the other end has not taken yet is not overwritten", () =>
  Effect.gen(function* () {
    const { receiver, sender } = yield* pair
    receiver.pause()
    const count = 600
    const bytes = 32 * 1024
    for (let id = 0; id < count; id++) {
      sender.post(parcelOf(id, bytes))
      if (sender.queued === 64) sender.flush()
      // Signs of life go in between.
      if (id % 100 === 0) sender.say(ping)
      if (id % 400 === 399) yield* Effect.yieldNow
    }
    assert.isAbove(sender.queued, 0, "the other end is behind")
    const { contents } = yield* arrivals(receiver, count)
    assert.deepStrictEqual(
      contents,
      Array.from({ length: count }, (_, id) => [id, id % 251, bytes] as const)
    )
    assert.strictEqual(sender.queued, 0)
  })
)
