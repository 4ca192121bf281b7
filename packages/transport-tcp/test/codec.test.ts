/**
 * Messages as frames: the same at both ends, however the bytes are cut on their way, and nothing but a
 * typed error for bytes that are no messages.
 */
import { assert, describe, it } from "@effect/vitest"
import * as LogEntry from "@effect-raft/core/LogEntry"
import { LogIndex } from "@effect-raft/core/LogIndex"
import type { RaftMessage } from "@effect-raft/core/RaftMessage"
import { Term } from "@effect-raft/core/Term"
import { fingerprint, raftMessage } from "@effect-raft/core/testing/RaftMessageArbitrary"
import * as Address from "@effect-raft/transport-tcp/Address"
import { FrameReader, MalformedFrame } from "@effect-raft/transport-tcp/FrameReader"
import { frameHeaderBytes, FrameWriter } from "@effect-raft/transport-tcp/FrameWriter"
import * as Handshake from "@effect-raft/transport-tcp/Handshake"
import * as MessageCodec from "@effect-raft/transport-tcp/MessageCodec"
import { Outbox } from "@effect-raft/transport-tcp/Outbox"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"

const encode = (messages: ReadonlyArray<RaftMessage>): Buffer => {
  const writer = new FrameWriter()
  for (const message of messages) MessageCodec.encode(writer, message)
  return Buffer.concat(writer.take())
}

/** Everything that comes out of `bytes` when they arrive in chunks that end at `cuts`. */
const decode = (bytes: Uint8Array, cuts: ReadonlyArray<number> = []): Array<RaftMessage | MalformedFrame> => {
  const reader = new FrameReader(1024 * 1024)
  const ends = [...cuts.map((cut) => cut % (bytes.byteLength + 1)), bytes.byteLength].sort(
    (one, other) => one - other
  )
  const seen: Array<RaftMessage | MalformedFrame> = []
  let start = 0
  for (const end of ends) {
    reader.feed(bytes.slice(start, end))
    start = end
    try {
      while (reader.next()) {
        const message = MessageCodec.decode(reader)
        seen.push(message)
        if (message instanceof MalformedFrame) return seen
        if (MessageCodec.holdsViews(message)) reader.keep()
      }
    } catch (error) {
      if (!(error instanceof MalformedFrame)) throw error
      return [...seen, error]
    }
  }
  return seen
}

/** The same where all chunks arrive in one buffer, in which nothing is left of a chunk when the next one comes. */
const decodeLent = (bytes: Uint8Array, cuts: ReadonlyArray<number>): Array<RaftMessage | MalformedFrame> => {
  const reader = new FrameReader(1024 * 1024)
  const place = new Uint8Array(bytes.byteLength)
  const seen: Array<RaftMessage | MalformedFrame> = []
  let start = 0
  for (const end of [...cuts, bytes.byteLength]) {
    const chunk = place.subarray(0, end - start)
    chunk.set(bytes.subarray(start, end))
    start = end
    for (let at = 0; at < chunk.byteLength;) {
      const taken = reader.copy(chunk.subarray(at))
      assert.isAbove(taken, 0)
      chunk.fill(0xee, at, at + taken)
      at += taken
      while (reader.next()) {
        const message = MessageCodec.decode(reader)
        seen.push(message)
        if (!(message instanceof MalformedFrame) && MessageCodec.holdsViews(message)) reader.keep()
      }
    }
  }
  return seen
}

const show = (seen: ReadonlyArray<RaftMessage | MalformedFrame>) =>
  seen.map((one) => (one instanceof MalformedFrame ? one : fingerprint(one)))

const messages = Arbitrary.array(raftMessage, { maxLength: 20 })
const cuts = Arbitrary.array(Arbitrary.schema(Schema.Natural), { maxLength: 20 })

const vote: RaftMessage = { _tag: "RequestVoteReply", term: Term.make(3), granted: true }

describe("MessageCodec", () => {
  it.prop(
    "messages are the same after encoding and decoding, wherever the bytes are cut",
    [messages, cuts],
    ([sent, cuts]) => {
      assert.deepStrictEqual(show(decode(encode(sent), cuts)), show(sent))
    }
  )

  it.prop("the size of a message is known before it is encoded", [raftMessage], ([message]) => {
    assert.strictEqual(encode([message]).byteLength, MessageCodec.encodedBytes(message))
  })

  it.prop(
    "a frame that is cut short is no message",
    [raftMessage, Arbitrary.schema(Schema.Natural)],
    ([message, cut]) => {
      const whole = encode([message])
      const short = Buffer.from(
        whole.subarray(0, frameHeaderBytes + (cut % (whole.byteLength - frameHeaderBytes)))
      )
      short.writeUInt32LE(short.byteLength - frameHeaderBytes)
      const [first] = decode(short)
      assert.match(first instanceof MalformedFrame ? first.message : "", /cut off/)
    }
  )

  it.prop(
    "random bytes give nothing but the typed error",
    [Arbitrary.array(Arbitrary.schema(Schema.Natural)), cuts],
    ([noise, cuts]) => {
      for (const one of decode(Uint8Array.from(noise), cuts)) {
        if (!(one instanceof MalformedFrame)) assert.property(one, "_tag")
      }
    }
  )

  it.prop(
    "a message in which one byte was changed is a message or the typed error",
    [raftMessage, Arbitrary.schema(Schema.Natural), Arbitrary.schema(Schema.Natural)],
    ([message, at, value]) => {
      const bytes = encode([message])
      bytes[at % bytes.byteLength] = value & 0xff
      for (const one of decode(bytes)) assert.property(one, "_tag")
    }
  )

  it("says what is wrong", () => {
    const detailOf = (change: (bytes: Buffer) => void) => {
      const bytes = encode([vote])
      change(bytes)
      const [first] = decode(bytes)
      return first instanceof MalformedFrame ? first.message : "a message"
    }
    assert.match(
      detailOf((bytes) => bytes.writeUInt32LE(0xffff_ffff)),
      /4294967295 bytes; at most 1048576/
    )
    assert.match(
      detailOf((bytes) => bytes.writeUInt8(99, 4)),
      /unknown type 99/
    )
    assert.match(
      detailOf((bytes) => bytes.writeUInt16LE(1, 6)),
      /channel/
    )
    assert.match(
      detailOf((bytes) => bytes.writeDoubleLE(-1, 8)),
      /-1 is no natural number/
    )
    assert.match(
      detailOf((bytes) => bytes.writeDoubleLE(Number.NaN, 8)),
      /NaN is no natural number/
    )
    assert.match(
      detailOf((bytes) => bytes.writeUInt8(2, 16)),
      /neither yes nor no/
    )
  })
})

describe("FrameReader", () => {
  it("hands over large blocks and many small ones without copying them twice into the same place", () => {
    const payloads = [10, 70_000, 3, 40_000, 200_000, 0, 65_536].map((size, at) => Buffer.alloc(size, at + 1))
    const sent = payloads.map((payload): RaftMessage => ({
      _tag: "ForwardProposals",
      term: Term.make(1),
      requestIds: [1],
      kinds: ["Command"],
      commands: [new Uint8Array(payload)]
    }))
    const bytes = encode([...sent, vote, ...sent])
    const everyChunk = (size: number) =>
      Array.from({ length: Math.floor(bytes.byteLength / size) }, (_, at) => (at + 1) * size)
    for (const size of [1000, 33_000, 65_536]) {
      assert.deepStrictEqual(show(decode(bytes, everyChunk(size))), show([...sent, vote, ...sent]))
    }
  })

  it("puts a large frame together in a buffer of just its size, whatever comes behind it", () => {
    const payload = new Uint8Array(74_000).fill(7)
    const large: RaftMessage = {
      _tag: "ForwardProposals",
      term: Term.make(1),
      requestIds: [1],
      kinds: ["Command"],
      commands: [payload]
    }
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
    const large: RaftMessage = {
      _tag: "ForwardProposals",
      term: Term.make(1),
      requestIds: [1],
      kinds: ["Command"],
      commands: [payload]
    }
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

describe("Handshake", () => {
  it("knows a preamble from its first bytes on", () => {
    const whole = Handshake.preamble({ oldest: 3, newest: 7 })
    for (let bytes = 0; bytes <= whole.byteLength; bytes++)
      assert.isTrue(Handshake.maybePreamble(whole.subarray(0, bytes)))
    assert.deepStrictEqual(Handshake.versionsOf(whole), { oldest: 3, newest: 7 })
    assert.isFalse(Handshake.maybePreamble(Buffer.from("G")))
  })
})

describe("Outbox", () => {
  it("drops the newest beyond its bounds, and takes one message of any size when empty", () => {
    const outbox = new Outbox({ maxMessages: 3, maxBytes: 100 })
    const message = (round: number): RaftMessage => ({
      _tag: "AppendAccepted",
      term: Term.make(1),
      matchIndex: LogIndex.make(1),
      round
    })
    assert.isTrue(outbox.offer(message(1), 32))
    assert.isTrue(outbox.offer(message(2), 32))
    assert.isFalse(outbox.offer(message(3), 40), "too many bytes")
    assert.isTrue(outbox.offer(message(4), 32))
    assert.isFalse(outbox.offer(message(5), 1), "too many messages")
    const taken = [outbox.take(), outbox.take(), outbox.take(), outbox.take()]
    assert.deepStrictEqual(taken, [message(1), message(2), message(4), undefined])
    assert.isTrue(outbox.offer(message(6), 1000))
  })

  it("counts what waited as it came, though its blocks are gone", () => {
    const outbox = new Outbox({ maxMessages: 3, maxBytes: 1000 })
    const { message, memory } = append(500)
    assert.isTrue(outbox.offer(message, MessageCodec.encodedBytes(message)))
    memory.transfer()
    assert.strictEqual(outbox.take(), message)
    assert.isTrue(outbox.offer(append(900).message, 1000), "nothing waits")
    assert.isFalse(outbox.offer(append(10).message, 100))
  })
})

/** A message with one block, and the memory in which that lies. */
const append = (payloadBytes: number) => {
  const memory = new ArrayBuffer(24 + payloadBytes)
  const block = LogEntry.encodeBlock([{ kind: "Command", payload: new Uint8Array(payloadBytes).fill(7) }], {
    firstIndex: LogIndex.make(1),
    term: Term.make(1),
    timestampMillis: 0,
    take: () => new Uint8Array(memory)
  })
  const message: RaftMessage = {
    _tag: "AppendEntries",
    term: Term.make(1),
    prevLogIndex: LogIndex.make(0),
    prevLogTerm: Term.make(0),
    blocks: [block],
    leaderCommit: LogIndex.make(0),
    round: 1
  }
  return { message, memory }
}

describe("entries on their way", () => {
  it("are copied, so that the memory of the log may be used again at once", () => {
    for (const payloadBytes of [10, 5_000, 100_000, 3_000_000]) {
      const { memory, message } = append(payloadBytes)
      const writer = new FrameWriter()
      MessageCodec.encode(writer, message)
      const frame = writer.take()
      const before = Buffer.concat(frame)
      new Uint8Array(memory).fill(0xdd)
      memory.transfer()
      assert.isTrue(MessageCodec.isGone(message))
      assert.isTrue(before.equals(Buffer.concat(frame)), `${payloadBytes} bytes`)
      assert.strictEqual(before.byteLength, MessageCodec.encodedBytes(append(payloadBytes).message))
    }
  })

  it("use the same slab again when the system has taken all, and only then", () => {
    const writer = new FrameWriter()
    const next = () => {
      MessageCodec.encode(writer, append(1000).message)
      return writer.take()[0]!
    }
    const first = next()
    const second = next()
    assert.notStrictEqual(second.byteOffset, first.byteOffset, "the first may still be on its way")
    writer.reuse()
    const third = next()
    assert.deepStrictEqual([third.buffer, third.byteOffset], [first.buffer, first.byteOffset])
  })
})

describe("Address", () => {
  it("reads names and both kinds of IP addresses, and writes them again", () => {
    for (const address of [
      "127.0.0.1:7001",
      "[::1]:7001",
      "[fe80::1%eth0]:1",
      "db-1.example.org:65535",
      "localhost:0"
    ]) {
      const parsed = Address.parse(address)
      assert.isObject(parsed, address)
      if (typeof parsed === "object") assert.strictEqual(Address.format(parsed), address)
    }
  })

  it("says what is wrong with the others", () => {
    const problemOf = (address: string): string => {
      const parsed = Address.parse(address)
      return typeof parsed === "string" ? parsed : "nothing"
    }
    for (const address of [
      "",
      "7001",
      "host",
      "host:",
      ":7001",
      "::1:7001",
      "host:http",
      "http://host:1",
      "a b:1"
    ]) {
      assert.match(problemOf(address), /HOST:PORT/, address)
    }
    assert.match(problemOf("host:65536"), /larger than 65535/)
  })
})
