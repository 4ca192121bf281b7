/**
 * One direction between two nodes, as a network of the tests keeps it, and the messages that travel on it.
 */
import type { Room } from "../MemoryTransport.ts"
import type { RaftMessage } from "../RaftMessage.ts"
import type { LinkSettings } from "./LinkFaults.ts"
import { raftMessageSize } from "./RaftMessageSize.ts"
import type { Direction } from "./Topology.ts"
import type { TrafficCount } from "./TrafficCount.ts"

export interface Link extends Direction {
  readonly room: Room
  readonly seed: number
  readonly traffic: TrafficCount
  settings: LinkSettings
  cut: boolean
  /** Messages sent on this link so far. */
  sent: number
  /** When the latest of its messages is due. */
  lastDueMillis: number
  /** Up to then it is busy with the messages that were sent, where it carries only so many bytes a second. */
  busyUntilMillis: number
}

/** A message on its way. */
export interface Parcel {
  readonly link: Link
  /** How many were sent on this link before it. */
  readonly number: number
  readonly message: RaftMessage
}

/** When the last byte of a message is on its way. */
export const leavesMillis = ({ link, message }: Parcel, nowMillis: number): number => {
  const { bytesPerSecond } = link.settings
  if (bytesPerSecond === undefined) return nowMillis
  const transmissionMillis = (1000 * raftMessageSize(message)) / bytesPerSecond
  link.busyUntilMillis = Math.max(nowMillis, link.busyUntilMillis) + transmissionMillis
  return Math.ceil(link.busyUntilMillis)
}
