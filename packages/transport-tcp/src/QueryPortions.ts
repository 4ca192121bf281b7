/**
 * How many queries of a client leave in one write, while more are being made.
 *
 * Callers that wait together are answered together and ask again together, so that one of client and node works and
 * the other waits, all the time. If half of what is under way leaves as soon as it is there, the node begins with it
 * while the client makes the rest, and from then on there are two halves, one on each side. Smaller portions would
 * not be worth their price: a write and a read at both ends, and a round of the leader's.
 *
 * Where a command waits among them all leave together, when the turn is over: commands share a flush of each disk, and
 * two halves would be two flushes.
 */
import type { ClientRequest } from "@effect-raft/core/ClientMessage"

/** Fewer are not worth a write of their own, which costs ten microseconds. */
const least = 32

export class QueryPortions {
  private underWay = 0
  private hasCommand = false

  /** `request` waits to be written, as the last of `waiting`; whether they are to be written now. */
  onQueued(request: ClientRequest, waiting: number): boolean {
    this.underWay += 1
    if (waiting === 1) this.hasCommand = false
    if (request._tag !== "Query") this.hasCommand = true
    return !this.hasCommand && waiting >= Math.max(least, this.underWay / 2)
  }

  onAnswered(count: number): void {
    this.underWay -= count
  }
}
