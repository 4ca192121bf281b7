/**
 * What followers and leaders say to each other about commands that are passed on, without the term in front.
 */
import type { ProposalKind } from "@effect-raft/core/LogEntry"
import { NodeId } from "@effect-raft/core/NodeId"
import type { ForwardOutcome, ForwardProposals, ForwardReply } from "@effect-raft/core/RaftMessage"
import * as Schema from "effect/Schema"
import { MalformedFrame } from "./FrameReader.ts"
import type { FrameReader } from "./FrameReader.ts"
import { textBytes } from "./FrameWriter.ts"
import type { FrameWriter } from "./FrameWriter.ts"
import { flag, logIndex, logTerm, times } from "./MessageFields.ts"

const proposalCodes = { Command: 0, Session: 1 } as const
const outcomeCodes = { Applied: 0, Refused: 1, Unknown: 2 } as const
const isNodeId = Schema.is(NodeId)

// --- proposals ----------------------------------------------------------------------------------------

export const proposalsBytes = ({ commands }: ForwardProposals): number => {
  let bytes = 4
  for (const command of commands) bytes += 13 + command.byteLength
  return bytes
}

export const encodeProposals = (
  writer: FrameWriter,
  { commands, kinds, requestIds }: ForwardProposals
): void => {
  writer.uint32(commands.length)
  for (const requestId of requestIds) writer.natural(requestId)
  for (const kind of kinds) writer.byte(proposalCodes[kind])
  for (const command of commands) writer.bytestring(command)
}

export const decodeProposals = (
  reader: FrameReader
): Pick<ForwardProposals, "commands" | "kinds" | "requestIds"> => {
  const count = reader.uint32()
  return {
    requestIds: times(reader, count, 8, () => reader.natural()),
    kinds: times(reader, count, 1, () => proposalKind(reader)),
    commands: times(reader, count, 4, () => reader.bytestring())
  }
}

const proposalKind = (reader: FrameReader): ProposalKind => (flag(reader) ? "Session" : "Command")

// --- their outcomes -----------------------------------------------------------------------------------

export const outcomesBytes = ({ outcomes }: ForwardReply): number => {
  let bytes = 4
  for (const { outcome } of outcomes) bytes += 9 + outcomeBytes(outcome)
  return bytes
}

const outcomeBytes = (outcome: ForwardOutcome): number => {
  switch (outcome._tag) {
    case "Applied":
      return 20 + outcome.reply.byteLength
    case "Refused":
      return textBytes(outcome.reason) + textBytes(outcome.leader ?? "")
    case "Unknown":
      return 16
  }
}

export const encodeOutcomes = (writer: FrameWriter, { outcomes }: ForwardReply): void => {
  writer.uint32(outcomes.length)
  for (const { requestId, outcome } of outcomes) {
    writer.natural(requestId)
    encodeOutcome(writer, outcome)
  }
}

const encodeOutcome = (writer: FrameWriter, outcome: ForwardOutcome): void => {
  writer.byte(outcomeCodes[outcome._tag])
  switch (outcome._tag) {
    case "Applied":
      writer.natural(outcome.index)
      writer.natural(outcome.term)
      return writer.bytestring(outcome.reply)
    case "Refused":
      writer.text(outcome.reason)
      return writer.text(outcome.leader ?? "")
    case "Unknown":
      writer.natural(outcome.index)
      return writer.natural(outcome.term)
  }
}

export const decodeOutcomes = (reader: FrameReader): ForwardReply["outcomes"] =>
  times(reader, reader.uint32(), 9, () => ({
    requestId: reader.natural(),
    outcome: decodeOutcome(reader)
  }))

const decodeOutcome = (reader: FrameReader): ForwardOutcome => {
  const code = reader.byte()
  switch (code) {
    case outcomeCodes.Applied:
      return { _tag: "Applied", index: logIndex(reader), term: logTerm(reader), reply: reader.bytestring() }
    case outcomeCodes.Refused:
      return { _tag: "Refused", reason: reader.text(), leader: optionalNodeId(reader) }
    case outcomeCodes.Unknown:
      return { _tag: "Unknown", index: logIndex(reader), term: logTerm(reader) }
    default:
      throw new MalformedFrame({ detail: `an outcome of the unknown kind ${code}` })
  }
}

const optionalNodeId = (reader: FrameReader): NodeId | null => {
  const name = reader.text()
  if (name === "") return null
  if (!isNodeId(name)) throw new MalformedFrame({ detail: "a name that is none" })
  return name
}
