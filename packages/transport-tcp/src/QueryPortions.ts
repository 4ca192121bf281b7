/**
 * How many queries of a client leave in one write, while more are being made.
 *
 * Callers that wait together are answered together and ask again together, so that one of client and node works and
 * the other waits, all the time. If half of what is under way leaves as soon as it is there, the node begins with it
 * while the client makes the rest, and from then on there are two halves, one on each side. Smaller portions would
 * not be worth their price: a write and a read at both ends, and a round of the leader's. Proposals have no part in
 * it: what comes together shares a flush of each disk.
 */
import type { ClientRequest } from "@effect-raft/core/ClientMessage"

/** Fewer are not worth a write of their own, which costs ten microseconds. */
const least = 32

export class QueryPortions {
  private underWay = 0

  onSent(): void {
    this.underWay += 1
  }

  onAnswered(count: number): void {
    this.underWay -= count
  }

  /** So many that wait, with `request` the last of them, leave now. */
  sizeAfter(request: ClientRequest): number {
    return request._tag === "Query" ? Math.max(least, this.underWay / 2) : Number.POSITIVE_INFINITY
  }
}
