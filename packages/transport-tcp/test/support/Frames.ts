/** Messages as the bytes of their frames, and what comes out of such bytes however they arrive. */
import { assert } from "@effect/vitest"
import type { RaftMessage } from "@effect-raft/core/RaftMessage"
import { Term } from "@effect-raft/core/Term"
import { fingerprint } from "@effect-raft/core/testing/RaftMessageArbitrary"
import { FrameReader, MalformedFrame } from "@effect-raft/transport-tcp/FrameReader"
import { FrameWriter } from "@effect-raft/transport-tcp/FrameWriter"
import * as MessageCodec from "@effect-raft/transport-tcp/MessageCodec"

export const encode = (messages: ReadonlyArray<RaftMessage>): Buffer => {
  const writer = new FrameWriter()
  for (const message of messages) MessageCodec.encode(writer, message)
  return Buffer.concat(writer.take())
}

/** Everything that comes out of `bytes` when they arrive in chunks that end at `cuts`. */
export const decode = (
  bytes: Uint8Array,
  cuts: ReadonlyArray<number> = []
): Array<RaftMessage | MalformedFrame> => {
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
export const decodeLent = (
  bytes: Uint8Array,
  cuts: ReadonlyArray<number>
): Array<RaftMessage | MalformedFrame> => {
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

export const show = (seen: ReadonlyArray<RaftMessage | MalformedFrame>) =>
  seen.map((one) => (one instanceof MalformedFrame ? one : fingerprint(one)))

/** A short message. */
export const vote: RaftMessage = { _tag: "RequestVoteReply", term: Term.make(3), granted: true }
