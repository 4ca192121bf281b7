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
import * as MessageCodec from "./MessageCodec.ts"

export interface OutboxLimits {
  readonly maxMessages: number
  readonly maxBytes: number
}

export class Outbox {
  private readonly queue = MutableList.make<RaftMessage>()
  private readonly limits: OutboxLimits
  private bytes = 0

  constructor(limits: OutboxLimits) {
    this.limits = limits
  }

  /** Adds a message that takes `bytes` bytes. An empty outbox takes a message of any size. */
  offer(message: RaftMessage, bytes: number): boolean {
    const full = this.queue.length >= this.limits.maxMessages || this.bytes + bytes > this.limits.maxBytes
    if (full && this.queue.length > 0) return false
    MutableList.append(this.queue, message)
    this.bytes += bytes
    return true
  }

  /** Takes the oldest message, if there is one. */
  take(): RaftMessage | undefined {
    const message = MutableList.take(this.queue)
    if (message === MutableList.Empty) return undefined
    this.bytes -= MessageCodec.encodedBytes(message)
    return message
  }

  clear(): void {
    MutableList.clear(this.queue)
    this.bytes = 0
  }
}
