/**
 * What waits to be sent to one peer.
 *
 * It is bounded in messages and in bytes, and a message that finds it full is dropped: the newest, not
 * the oldest. Appends are pipelined, so the ones in front are just those that the peer needs first; with
 * the oldest gone it would refuse all the rest. And the sender learns from `offer` at once that it is too
 * fast. Raft repairs what was dropped.
 */
import type { RaftMessage } from "@effect-raft/core/RaftMessage"
import * as MutableList from "effect/MutableList"

export interface OutboxLimits {
  readonly maxMessages: number
  readonly maxBytes: number
}

interface Waiting {
  readonly message: RaftMessage
  /** As it was when it came: its blocks may be gone by now. */
  readonly bytes: number
}

export class Outbox {
  private readonly queue = MutableList.make<Waiting>()
  private readonly limits: OutboxLimits
  private bytes = 0

  constructor(limits: OutboxLimits) {
    this.limits = limits
  }

  /** Adds a message that takes `bytes` bytes. An empty outbox takes a message of any size. */
  offer(message: RaftMessage, bytes: number): boolean {
    const full = this.queue.length >= this.limits.maxMessages || this.bytes + bytes > this.limits.maxBytes
    if (full && this.queue.length > 0) return false
    MutableList.append(this.queue, { message, bytes })
    this.bytes += bytes
    return true
  }

  /** Takes the oldest message, if there is one. */
  take(): RaftMessage | undefined {
    const waiting = MutableList.take(this.queue)
    if (waiting === MutableList.Empty) return undefined
    this.bytes -= waiting.bytes
    return waiting.message
  }

  clear(): void {
    MutableList.clear(this.queue)
    this.bytes = 0
  }
}
