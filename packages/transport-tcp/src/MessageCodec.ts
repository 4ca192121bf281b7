/**
 * Raft messages as frames.
 *
 * Written by hand, because the messages are few and small, and every proposal passes here on its way to
 * each follower. Entries are not encoded here: a block's bytes are what they have been since the leader
 * made them. They are copied into the frame, and at the other end the block is a view of the receive buffer.
 */
import * as LogEntry from "@effect-raft/core/LogEntry"
import * as LogIndex from "@effect-raft/core/LogIndex"
import type { RaftMessage } from "@effect-raft/core/RaftMessage"
import * as Snapshot from "@effect-raft/core/Snapshot"
import type { SnapshotMeta } from "@effect-raft/core/Snapshot"
import type { Term } from "@effect-raft/core/Term"
import * as ForwardingCodec from "./ForwardingCodec.ts"
import { MalformedFrame } from "./FrameReader.ts"
import type { FrameReader } from "./FrameReader.ts"
import { frameHeaderBytes, textBytes } from "./FrameWriter.ts"
import type { FrameWriter } from "./FrameWriter.ts"
import { flag, logIndex, logTerm, times } from "./MessageFields.ts"

/** The frame types of messages. A number is never given to another message. */
const typeOf: Readonly<Record<RaftMessage["_tag"], number>> = {
  PreVote: 1,
  PreVoteReply: 2,
  RequestVote: 3,
  RequestVoteReply: 4,
  AppendEntries: 5,
  AppendAccepted: 6,
  AppendRejected: 7,
  ReadIndex: 8,
  ReadIndexReply: 9,
  ForwardProposals: 10,
  ForwardReply: 11,
  InstallSnapshot: 12,
  InstallSnapshotReply: 13,
  TimeoutNow: 14,
  StaleTerm: 15,
  CommitNotice: 16
}

const tagOf = new Map(Object.entries(typeOf).map(([tag, type]) => [type, tag as RaftMessage["_tag"]]))

// --- sizes --------------------------------------------------------------------------------------------

/** The bytes of `message` on the wire, with its frame. */
export const encodedBytes = (message: RaftMessage): number => frameHeaderBytes + bodyBytes(message)

const bodyBytes = (message: RaftMessage): number => {
  switch (message._tag) {
    case "PreVote":
      return 24
    case "PreVoteReply":
      return 17
    case "RequestVote":
      return 25
    case "RequestVoteReply":
      return 9
    case "StaleTerm":
    case "TimeoutNow":
      return 8
    case "AppendEntries": {
      let bytes = 44
      for (const block of message.blocks) bytes += 4 + block.bytes.byteLength
      return bytes
    }
    case "CommitNotice":
      return 16
    case "AppendAccepted":
      return 24
    case "AppendRejected":
      return 40
    case "ReadIndex":
      return 16
    case "ReadIndexReply":
      return 24
    case "InstallSnapshot":
      return 32 + Snapshot.toPayload(message.snapshot).byteLength + message.data.byteLength
    case "InstallSnapshotReply":
      return 24 + textBytes(message.snapshotId)
    case "ForwardProposals":
      return 8 + ForwardingCodec.proposalsBytes(message)
    case "ForwardReply":
      return 8 + ForwardingCodec.outcomesBytes(message)
  }
}

// --- encoding -----------------------------------------------------------------------------------------

/** Appends `message` to `writer` as one frame. */
export const encode = (writer: FrameWriter, message: RaftMessage): void => {
  const bytes = bodyBytes(message)
  // Blocks are copied: their memory is the log's, and the system may take a frame much later.
  if (message._tag === "AppendEntries") writer.reserve(frameHeaderBytes + bytes)
  writer.begin(typeOf[message._tag], bytes)
  writer.natural(message.term)
  switch (message._tag) {
    case "PreVote":
      writer.natural(message.lastLogIndex)
      return writer.natural(message.lastLogTerm)
    case "PreVoteReply":
      writer.natural(message.requestedTerm)
      return writer.byte(message.granted ? 1 : 0)
    case "RequestVote":
      writer.natural(message.lastLogIndex)
      writer.natural(message.lastLogTerm)
      return writer.byte(message.leadershipTransfer ? 1 : 0)
    case "RequestVoteReply":
      return writer.byte(message.granted ? 1 : 0)
    case "StaleTerm":
    case "TimeoutNow":
      return
    case "AppendEntries":
      writer.natural(message.prevLogIndex)
      writer.natural(message.prevLogTerm)
      writer.natural(message.leaderCommit)
      writer.natural(message.round)
      writer.uint32(message.blocks.length)
      for (const block of message.blocks) {
        writer.uint32(block.bytes.byteLength)
        writer.copied(block.bytes)
      }
      return
    case "CommitNotice":
      return writer.natural(message.leaderCommit)
    case "AppendAccepted":
      writer.natural(message.matchIndex)
      return writer.natural(message.round)
    case "AppendRejected":
      writer.natural(message.prevLogIndex)
      writer.natural(message.conflictTerm)
      writer.natural(message.conflictIndex)
      return writer.natural(message.round)
    case "ReadIndex":
      return writer.natural(message.requestId)
    case "ReadIndexReply":
      writer.natural(message.requestId)
      return writer.natural(message.readIndex)
    case "InstallSnapshot":
      writer.natural(message.sizeBytes)
      writer.natural(message.offset)
      writer.bytestring(Snapshot.toPayload(message.snapshot))
      return writer.bytestring(message.data)
    case "InstallSnapshotReply":
      writer.natural(message.offset)
      writer.natural(message.matchIndex)
      return writer.text(message.snapshotId)
    case "ForwardProposals":
      return ForwardingCodec.encodeProposals(writer, message)
    case "ForwardReply":
      return ForwardingCodec.encodeOutcomes(writer, message)
  }
}

// --- decoding -----------------------------------------------------------------------------------------

/** Reads the present frame of `reader`, to its last byte. Throws nothing; says what is wrong with it. */
export const decode = (reader: FrameReader): RaftMessage | MalformedFrame => {
  try {
    const message = decodeBody(reader)
    reader.finish()
    return message
  } catch (error) {
    if (error instanceof MalformedFrame) return error
    throw error
  }
}

/** Whether a message holds views of the buffer that it was read from. */
export const holdsViews = (message: RaftMessage): boolean =>
  message._tag === "AppendEntries"
    ? message.blocks.length > 0
    : message._tag === "ForwardProposals" ||
      message._tag === "ForwardReply" ||
      message._tag === "InstallSnapshot"

/** Whether the log no longer has what a message was to carry, so that it cannot be sent (see `LogMemory`). */
export const isGone = (message: RaftMessage): boolean =>
  message._tag === "AppendEntries" && message.blocks.some(LogEntry.isGone)

const decodeBody = (reader: FrameReader): RaftMessage => {
  const tag = tagOf.get(reader.type)
  if (tag === undefined) throw new MalformedFrame({ detail: `a frame of the unknown type ${reader.type}` })
  const term = reader.natural() as Term
  switch (tag) {
    case "PreVote":
      return { _tag: tag, term, lastLogIndex: logIndex(reader), lastLogTerm: logTerm(reader) }
    case "PreVoteReply":
      return { _tag: tag, term, requestedTerm: logTerm(reader), granted: flag(reader) }
    case "RequestVote":
      return {
        _tag: tag,
        term,
        lastLogIndex: logIndex(reader),
        lastLogTerm: logTerm(reader),
        leadershipTransfer: flag(reader)
      }
    case "RequestVoteReply":
      return { _tag: tag, term, granted: flag(reader) }
    case "StaleTerm":
    case "TimeoutNow":
      return { _tag: tag, term }
    case "AppendEntries":
      return decodeAppendEntries(reader, term)
    case "CommitNotice":
      return { _tag: tag, term, leaderCommit: logIndex(reader) }
    case "AppendAccepted":
      return { _tag: tag, term, matchIndex: logIndex(reader), round: reader.natural() }
    case "AppendRejected":
      return {
        _tag: tag,
        term,
        prevLogIndex: logIndex(reader),
        conflictTerm: logTerm(reader),
        conflictIndex: logIndex(reader),
        round: reader.natural()
      }
    case "ReadIndex":
      return { _tag: tag, term, requestId: reader.natural() }
    case "ReadIndexReply":
      return { _tag: tag, term, requestId: reader.natural(), readIndex: logIndex(reader) }
    case "InstallSnapshot":
      return {
        _tag: tag,
        term,
        sizeBytes: reader.natural(),
        offset: reader.natural(),
        snapshot: snapshotMeta(reader),
        data: reader.bytestring()
      }
    case "InstallSnapshotReply":
      return {
        _tag: tag,
        term,
        offset: reader.natural(),
        matchIndex: logIndex(reader),
        snapshotId: reader.text()
      }
    case "ForwardProposals":
      return { _tag: tag, term, ...ForwardingCodec.decodeProposals(reader) }
    case "ForwardReply":
      return { _tag: tag, term, outcomes: ForwardingCodec.decodeOutcomes(reader) }
  }
}

const decodeAppendEntries = (reader: FrameReader, term: Term): RaftMessage => {
  const prevLogIndex = logIndex(reader)
  const prevLogTerm = logTerm(reader)
  const leaderCommit = logIndex(reader)
  const round = reader.natural()
  let nextIndex = LogIndex.plus(prevLogIndex, 1)
  const blocks = times(reader, reader.uint32(), 4, () => {
    const block = LogEntry.decodeBlock(reader.bytestring(), nextIndex)
    if (block instanceof LogEntry.MalformedBlock) throw new MalformedFrame({ detail: block.message })
    nextIndex = LogIndex.plus(nextIndex, LogEntry.count(block))
    return block
  })
  return { _tag: "AppendEntries", term, prevLogIndex, prevLogTerm, blocks, leaderCommit, round }
}

const snapshotMeta = (reader: FrameReader): SnapshotMeta => {
  const payload = reader.bytestring()
  try {
    return Snapshot.fromPayload(payload)
  } catch {
    throw new MalformedFrame({ detail: "a snapshot that does not say what it stands for" })
  }
}
