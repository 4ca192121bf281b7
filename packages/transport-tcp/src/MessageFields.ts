/**
 * Fields of messages, as they are read: each checked before it is believed. Throws {@link MalformedFrame}.
 */
import type { LogIndex } from "@effect-raft/core/LogIndex"
import type { Term } from "@effect-raft/core/Term"
import { MalformedFrame } from "./FrameReader.ts"
import type { FrameReader } from "./FrameReader.ts"

export const logIndex = (reader: FrameReader): LogIndex => reader.natural() as LogIndex

export const logTerm = (reader: FrameReader): Term => reader.natural() as Term

export const flag = (reader: FrameReader): boolean => {
  const value = reader.byte()
  if (value > 1) throw new MalformedFrame({ detail: `${value} is neither yes nor no` })
  return value === 1
}

/** Reads `count` things of at least `leastBytes` each; a count that cannot be true is refused at once. */
export const times = <A>(reader: FrameReader, count: number, leastBytes: number, read: () => A): Array<A> => {
  if (count * leastBytes > reader.remaining()) throw new MalformedFrame({ detail: "a list that is cut off" })
  const list: Array<A> = []
  for (let done = 0; done < count; done++) list.push(read())
  return list
}
