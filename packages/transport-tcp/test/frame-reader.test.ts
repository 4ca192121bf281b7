/** Frames out of the chunks in which they arrive: the same however they are cut, and in no more memory than they need. */
import { assert, describe, it } from "@effect/vitest"
import type { RaftMessage } from "@effect-raft/core/RaftMessage"
import { Term } from "@effect-raft/core/Term"
import { FrameReader, MalformedFrame } from "@effect-raft/transport-tcp/FrameReader"
import * as MessageCodec from "@effect-raft/transport-tcp/MessageCodec"
import { decode, decodeLent, encode, show, vote } from "./support/Frames.ts"

/** A message as large as its one command. */
const forwarding = (command: Uint8Array): RaftMessage => ({
  _tag: "ForwardProposals",
  term: Term.make(1),
  requestIds: [1],
  kinds: ["Command"],
  commands: [command]
})

describe("FrameReader", () => {
  it("hands over large blocks and many small ones without copying them twice into the same place", () => {
    const payloads = [10, 70_000, 3, 40_000, 200_000, 0, 65_536].map((size, at) => Buffer.alloc(size, at + 1))
    const sent = payloads.map((payload) => forwarding(new Uint8Array(payload)))
    const bytes = encode([...sent, vote, ...sent])
    const everyChunk = (size: number) =>
      Array.from({ length: Math.floor(bytes.byteLength / size) }, (_, at) => (at + 1) * size)
    for (const size of [1000, 33_000, 65_536]) {
      assert.deepStrictEqual(show(decode(bytes, everyChunk(size))), show([...sent, vote, ...sent]))
    }
  })

  it("puts a large frame together in a buffer of just its size, whatever comes behind it", () => {
    const payload = new Uint8Array(74_000).fill(7)
    const large = forwarding(payload)
    const bytes = encode([vote, large, vote, large, vote, vote])
    const reader = new FrameReader(1024 * 1024)
    const seen: Array<RaftMessage> = []
    for (let at = 0; at < bytes.byteLength; at += 65_536) {
      reader.feed(bytes.slice(at, at + 65_536))
      while (reader.next()) {
        const message = MessageCodec.decode(reader)
        assert.notInstanceOf(message, MalformedFrame)
        if (message instanceof MalformedFrame) continue
        if (MessageCodec.holdsViews(message)) reader.keep()
        seen.push(message)
      }
    }
    assert.deepStrictEqual(show(seen), show([vote, large, vote, large, vote, vote]))
    const buffers = seen.flatMap((message) =>
      message._tag === "ForwardProposals" ? message.commands.map(({ buffer }) => buffer.byteLength) : []
    )
    const frameBytes = MessageCodec.encodedBytes(large)
    assert.deepStrictEqual(buffers, [frameBytes, frameBytes])
  })

  it("reads the same frames however they are cut", () => {
    let seed = 5
    const dice = (sides: number) => {
      seed = (seed * 48271) % 2147483647
      return seed % sides
    }
    for (let run = 0; run < 300; run++) {
      const sent = Array.from({ length: 1 + dice(12) }, (_, at): RaftMessage =>
        dice(3) === 0
          ? vote
          : {
              _tag: "ForwardProposals",
              term: Term.make(1),
              requestIds: [at],
              kinds: ["Command"],
              commands: [new Uint8Array([40, 3000, 9000, 70_000][dice(4)]! + dice(50)).fill(at)]
            }
      )
      const bytes = encode(sent)
      const cuts: Array<number> = []
      for (let at = 0; at < bytes.byteLength;) {
        at += 1 + dice([20, 5000, 66_000][dice(3)]!)
        if (at < bytes.byteLength) cuts.push(at)
      }
      assert.deepStrictEqual(show(decode(bytes, cuts)), show(sent), `run ${run}`)
      assert.deepStrictEqual(
        show(decodeLent(bytes, cuts)),
        show(sent),
        `run ${run}, one buffer for all chunks`
      )
    }
  })

  it("has a buffer of its own, and of its size, for a large frame that arrives in a lent one", () => {
    const payload = new Uint8Array(200_000).fill(7)
    const large = forwarding(payload)
    const bytes = encode([large, vote, large, large])
    const seen = decodeLent(bytes, [1, 131_072, 262_144, 393_216])
    assert.deepStrictEqual(show(seen), show([large, vote, large, large]))
    const buffers = seen.flatMap((message) =>
      "_tag" in message && message._tag === "ForwardProposals"
        ? message.commands.map(({ buffer }) => buffer)
        : []
    )
    assert.deepStrictEqual(
      buffers.map(({ byteLength }) => byteLength),
      Array.from({ length: 3 }, () => MessageCodec.encodedBytes(large))
    )
  })

  it("refuses a frame that is too large as soon as its size is known, in a lent chunk too", () => {
    const reader = new FrameReader(1024)
    const bytes = encode([{ ...vote }])
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, 200_000, true)
    assert.strictEqual(reader.copy(bytes.subarray(0, 3)), 3)
    assert.isFalse(reader.next())
    reader.copy(bytes.subarray(3))
    assert.throws(() => reader.next(), "a frame of 200000 bytes; at most 1024 are accepted")
  })

  it("uses the same memory again for lent messages of which nothing is kept", () => {
    const reader = new FrameReader(1024)
    const bytes = encode([vote])
    const buffers = new Set<ArrayBufferLike>()
    for (let round = 0; round < 10_000; round++) {
      assert.strictEqual(reader.copy(bytes), bytes.byteLength)
      assert.isTrue(reader.next())
      buffers.add(reader.peek().buffer)
    }
    assert.strictEqual(buffers.size, 1)
  })

  it("uses the same memory again for messages of which nothing is kept", () => {
    const reader = new FrameReader(1024)
    const bytes = encode([vote])
    const buffers = new Set<ArrayBufferLike>()
    for (let round = 0; round < 10_000; round++) {
      reader.feed(bytes)
      assert.isTrue(reader.next())
      buffers.add(reader.peek().buffer)
    }
    assert.strictEqual(buffers.size, 1)
  })
})
