/**
 * Group commit: writes that wait for the disk go there as one, and leave it as they would have left it one
 * after another. `RaftStorage.absorb`, which says what a batch means, is the judge.
 */
import { assert, it as effectIt } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import type { Persist } from "../src/consensus/Action.ts"
import * as LogWriter from "../src/internal/LogWriter.ts"
import { merge } from "../src/internal/LogWriter.ts"
import * as LogEntry from "../src/LogEntry.ts"
import * as LogIndex from "../src/LogIndex.ts"
import * as RaftStorage from "../src/RaftStorage.ts"
import type { StoredState, WriteBatch } from "../src/RaftStorage.ts"
import type { Term } from "../src/Term.ts"
import * as Build from "./rules/Build.ts"
import { Dice } from "./rules/Dice.ts"

/** Everything that a store holds, entry by entry: how blocks are cut makes no difference. */
const contents = ({ hardState, base, blocks, committed }: StoredState) => ({
  hardState,
  base,
  committed,
  entries: blocks
    .flatMap(LogEntry.entries)
    .map(({ index, term, payload }) => `${index}@${term} ${Build.textOf(payload)}`)
})

const copy = (state: StoredState): StoredState => ({ ...state, blocks: [...state.blocks] })

/** What a node may want written to a log like this, in a term that no entry has had before. */
const draw = (dice: Dice, state: StoredState, term: number): WriteBatch => {
  const lastIndex = RaftStorage.lastIndexOf(state)
  const firstIndex = state.base.index + 1
  const anywhere = firstIndex + dice.below(lastIndex - firstIndex + 2)
  const terms = Array.from({ length: dice.below(4) }, () => term)
  const hardState = { currentTerm: term as Term, votedFor: dice.pick([null, Build.id("n2")]) }
  const vote = dice.oneIn(4) ? { hardState } : undefined
  switch (dice.below(6)) {
    case 0: {
      // The leader's log has other entries from here on.
      const truncateFrom = anywhere as LogIndex.LogIndex
      return { ...vote, truncateFrom, blocks: Build.blocks(terms, Math.min(truncateFrom, lastIndex + 1)) }
    }
    case 1: {
      // An own snapshot: the log begins later.
      const base = Build.logBase({ index: Math.min(anywhere, lastIndex), term })
      return { ...vote, base, blocks: [] }
    }
    case 2: {
      // A leader's snapshot takes the place of the whole log.
      const base = Build.logBase({ index: anywhere + dice.below(10), term })
      return { ...vote, truncateFrom: LogIndex.plus(state.base.index, 1), base, blocks: [] }
    }
    case 3: {
      // The same in one write with what the leader sends next.
      const base = Build.logBase({ index: lastIndex + 1 + dice.below(10), term })
      return { ...vote, base, blocks: Build.blocks(terms, base.index + 1) }
    }
    default:
      return { ...vote, blocks: Build.blocks(terms, lastIndex + 1) }
  }
}

/** Draws `count` batches that follow one another on `state`, and writes them one by one. */
const writeOneByOne = (dice: Dice, state: StoredState, count: number): ReadonlyArray<WriteBatch> =>
  Array.from({ length: count }, (_, position) => {
    const batch = draw(dice, state, 1 + position + Number(state.hardState.currentTerm))
    expect(RaftStorage.misfit(RaftStorage.extentOf(state), batch)).toBeUndefined()
    RaftStorage.absorb(state, batch)
    return batch
  })

describe("writes that wait for the disk", () => {
  it("leave it as they would one after another, in 20,000 random histories", () => {
    const kinds = { cut: 0, moved: 0, bigger: 0 }
    for (let seed = 1; seed <= 20_000; seed++) {
      const dice = new Dice(seed)
      const oneByOne = RaftStorage.emptyState()
      writeOneByOne(dice, oneByOne, dice.below(5))
      const together = copy(oneByOne)
      const batches = writeOneByOne(dice, oneByOne, 1 + dice.below(6))
      const merged = batches.reduce(merge)
      const context = `seed ${seed}: ${JSON.stringify(batches, ["hardState", "truncateFrom", "base", "index", "firstIndex", "offsets", "blocks"])}`
      expect(RaftStorage.misfit(RaftStorage.extentOf(together), merged), context).toBeUndefined()
      RaftStorage.absorb(together, merged)
      expect(contents(together), context).toEqual(contents(oneByOne))
      if (merged.truncateFrom !== undefined) kinds.cut++
      if (merged.base !== undefined) kinds.moved++
      if (merged.blocks.length > 1) kinds.bigger++
    }
    // The histories must contain what they are about.
    for (const count of Object.values(kinds)) expect(count).toBeGreaterThan(2_000)
  })

  it("need no snapshot that reaches further than they did one by one", () => {
    for (let seed = 1; seed <= 2_000; seed++) {
      const dice = new Dice(seed)
      const batches = writeOneByOne(dice, RaftStorage.emptyState(), 6)
      const furthest = Math.max(0, ...batches.map(({ base }) => base?.index ?? 0))
      expect(batches.reduce(merge).base?.index ?? 0).toBeLessThanOrEqual(furthest)
    }
  })
})

describe("a store that needs no disk", () => {
  const persist = (ticket: number): Persist => ({
    _tag: "Persist",
    ticket,
    blocks: Build.blocks([1], ticket),
    lastIndex: ticket as LogIndex.LogIndex
  })

  const writing = Effect.gen(function* () {
    const written: Array<string> = []
    const mayEnd = Deferred.makeUnsafe<void>()
    let isPrompt = true
    const writer = yield* LogWriter.make(
      {
        write: ({ blocks }) => {
          written.push(`slowly ${blocks.length}`)
          return Deferred.await(mayEnd)
        },
        writeNow: ({ blocks }) => {
          if (isPrompt) written.push(`now ${blocks.length}`)
          return isPrompt
        }
      },
      ({ ticket }) => written.push(`ticket ${ticket}`)
    )
    yield* Effect.forkScoped(writer.run, { startImmediately: true })
    return { ...writer, written, mayEnd, slowDown: () => (isPrompt = false) }
  })

  effectIt.effect("is written before the call returns, all at once, and says up to which ticket", () =>
    Effect.gen(function* () {
      const { written, writeNow } = yield* writing
      assert.deepStrictEqual(writeNow([persist(1), persist(2)]), {
        _tag: "Persisted",
        ticket: 2,
        lastIndex: 2
      })
      assert.strictEqual(writeNow([]), undefined)
      assert.deepStrictEqual(written, ["now 2"])
    })
  )

  effectIt.effect("that would have to wait is written as any other, and nothing overtakes that", () =>
    Effect.gen(function* () {
      const { enqueue, mayEnd, slowDown, written, writeNow } = yield* writing
      slowDown()
      assert.strictEqual(writeNow([persist(1)]), undefined)
      enqueue([persist(1)])
      assert.strictEqual(writeNow([persist(2)]), undefined)
      enqueue([persist(2)])
      assert.deepStrictEqual(written, ["slowly 1"])
      yield* Deferred.succeed(mayEnd, undefined)
      yield* Effect.repeat(Effect.yieldNow, { times: 4 })
      assert.deepStrictEqual(written, ["slowly 1", "ticket 1", "slowly 1", "ticket 2"])
    })
  )
})
