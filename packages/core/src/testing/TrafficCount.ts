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

export class TrafficCount {
  private readonly tallies = new Map<NodeId, Map<RaftMessage["_tag"], Tally>>()

  add(from: NodeId, message: RaftMessage): void {
    const tally = this.tallyOf(from, message._tag)
    tally.messages += 1
    tally.bytes += raftMessageSize(message)
  }

  total(filter: TrafficFilter = {}): Traffic {
    const sum = { messages: 0, bytes: 0 }
    for (const [from, byTag] of this.tallies) {
      if (filter.from !== undefined && filter.from !== from) continue
      for (const [tag, tally] of byTag) {
        if (filter.tag !== undefined && filter.tag !== tag) continue
        sum.messages += tally.messages
        sum.bytes += tally.bytes
      }
    }
    return sum
  }

  clear(): void {
    this.tallies.clear()
  }

  private tallyOf(from: NodeId, tag: RaftMessage["_tag"]): Tally {
    let byTag = this.tallies.get(from)
    if (byTag === undefined) this.tallies.set(from, (byTag = new Map<RaftMessage["_tag"], Tally>()))
    let tally = byTag.get(tag)
    if (tally === undefined) byTag.set(tag, (tally = { messages: 0, bytes: 0 }))
    return tally
  }
}
