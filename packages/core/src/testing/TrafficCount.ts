/**
 * How much was sent, by whom and of what kind: the lab tests bound both messages and bytes.
 */
import type { NodeId } from "../NodeId.ts"
import type { RaftMessage } from "../RaftMessage.ts"
import { raftMessageSize } from "./RaftMessageSize.ts"

/** A number of messages and their size on the wire. */
export interface Traffic {
  readonly messages: number
  readonly bytes: number
}

/** Whose messages to count, and of which kind; everything where nothing is said. */
export interface TrafficFilter {
  readonly from?: NodeId
  readonly tag?: RaftMessage["_tag"]
}

interface Tally {
  messages: number
  bytes: number
}

/** What one link has carried. */
export class TrafficCount {
  private readonly byTag = new Map<RaftMessage["_tag"], Tally>()

  add(message: RaftMessage): void {
    let tally = this.byTag.get(message._tag)
    if (tally === undefined) this.byTag.set(message._tag, (tally = { messages: 0, bytes: 0 }))
    tally.messages += 1
    tally.bytes += raftMessageSize(message)
  }

  /** Adds what it counted of one kind, or of all, to a sum. */
  addTo(sum: Tally, only: RaftMessage["_tag"] | undefined): void {
    for (const [tag, tally] of this.byTag) {
      if (only !== undefined && only !== tag) continue
      sum.messages += tally.messages
      sum.bytes += tally.bytes
    }
  }

  clear(): void {
    this.byTag.clear()
  }
}
