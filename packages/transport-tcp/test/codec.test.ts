/**
 * Messages as frames: the same at both ends, however the bytes are cut on their way, and nothing but a
 * typed error for bytes that are no messages.
 */
import { assert, describe, it } from "@effect/vitest"
import { LogIndex } from "@effect-raft/core/LogIndex"
import type { RaftMessage } from "@effect-raft/core/RaftMessage"
import { Term } from "@effect-raft/core/Term"
import { raftMessage } from "@effect-raft/core/testing/RaftMessageArbitrary"
import * as Address from "@effect-raft/transport-tcp/Address"
import { MalformedFrame } from "@effect-raft/transport-tcp/FrameReader"
import { frameHeaderBytes, FrameWriter } from "@effect-raft/transport-tcp/FrameWriter"
import * as Handshake from "@effect-raft/transport-tcp/Handshake"
import * as MessageCodec from "@effect-raft/transport-tcp/MessageCodec"
import { Outbox } from "@effect-raft/transport-tcp/Outbox"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import { append } from "./support/Appends.ts"
import { decode, encode, show, vote } from "./support/Frames.ts"

const messages = Arbitrary.array(raftMessage, { maxLength: 20 })
const cuts = Arbitrary.array(Arbitrary.schema(Schema.Natural), { maxLength: 20 })

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
