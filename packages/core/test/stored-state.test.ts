/** What a store holds, summed up from its batches, however many those are. */
import { describe, expect, it } from "vitest"
import type { EntryBlock } from "../src/LogEntry.ts"
import * as RaftStorage from "../src/RaftStorage.ts"
import * as Build from "./rules/Build.ts"
import { index } from "./rules/Harness.ts"

/** More than a function takes arguments: a client that writes one small command after the other makes a block of each. */
const blockCount = 200_000

const written = (): RaftStorage.StoredState => {
  const state = RaftStorage.emptyState()
  const [block] = Build.blocks([1])
  for (let at = 1; at <= blockCount; at++) {
    const next: EntryBlock = { ...block!, firstIndex: index(at) }
    RaftStorage.absorb(state, { blocks: [next] })
  }
  return state
}

describe("a log of very many blocks", () => {
  it("begins later, and keeps all that follows", () => {
    const state = written()
    RaftStorage.absorb(state, { blocks: [], base: Build.logBase({ index: 10, term: 1 }) })
    expect(state.base.index).toBe(10)
    expect([state.blocks.length, state.blocks[0]?.firstIndex]).toEqual([blockCount - 10, 11])
    expect(RaftStorage.lastIndexOf(state)).toBe(blockCount)
  })
})
