/**
 * How many bytes a message takes on the wire, near enough to count traffic by.
 *
 * The binary codec belongs to the transport that has a wire; a network in memory has none, and still a
 * test wants to know that replication sends each entry about once.
 */
import * as Snapshot from "../Snapshot.ts"
import type { ForwardOutcome, RaftMessage } from "../RaftMessage.ts"

/** Length, type and group of a frame. */
const frameHeaderBytes = 8
/** Every number of a message travels as a float64. */
const numberBytes = 8
const lengthBytes = 4

/** The size of `message` in bytes, with its frame. */
export const raftMessageSize = (message: RaftMessage): number => frameHeaderBytes + bodyBytes(message)

const bodyBytes = (message: RaftMessage): number => {
  switch (message._tag) {
    case "AppendEntries":
      return message.blocks.reduce(
        (sum, block) => sum + lengthBytes + block.bytes.byteLength,
        5 * numberBytes
      )
    case "InstallSnapshot":
      return (
        4 * numberBytes +
        Snapshot.toPayload(message.snapshot).byteLength +
        lengthBytes +
        message.data.byteLength
      )
    case "ForwardProposals":
      return message.commands.reduce(
        (sum, command) => sum + numberBytes + 1 + lengthBytes + command.byteLength,
        numberBytes
      )
    case "ForwardReply":
      return message.outcomes.reduce(
        (sum, { outcome }) => sum + numberBytes + outcomeBytes(outcome),
        numberBytes
      )
    case "AppendAccepted":
      return 3 * numberBytes
    case "CommitNotice":
      return 2 * numberBytes
    default:
      return (Object.keys(message).length - 1) * numberBytes
  }
}

const outcomeBytes = (outcome: ForwardOutcome): number => {
  switch (outcome._tag) {
    case "Applied":
      return 2 * numberBytes + lengthBytes + outcome.reply.byteLength
    case "Refused":
      return 2 + outcome.reason.length + (outcome.leader?.length ?? 0)
    case "Unknown":
      return 2 * numberBytes
  }
}
