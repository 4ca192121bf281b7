/**
 * The checks are checked: each property is shown a history that violates it, written by hand, and one that
 * is close to it and does not. What they make of broken rules: `broken-rules.test.ts`.
 */
import { assert, describe, it } from "@effect/vitest"
import type { Action } from "../../src/consensus/Action.ts"
import * as NodeState from "../../src/consensus/NodeState.ts"
import { PeerProgress } from "../../src/consensus/PeerProgress.ts"
import * as Progress from "../../src/consensus/Progress.ts"
import * as LogEntry from "../../src/LogEntry.ts"
import type { LogIndex } from "../../src/LogIndex.ts"
import type { SnapshotMeta } from "../../src/Snapshot.ts"
import type { Term } from "../../src/Term.ts"
import * as Invariants from "../../src/testing/Invariants.ts"
import * as Build from "../rules/Build.ts"

interface Given {
  readonly role?: "Follower" | "Leader"
  readonly term: number
  /** The terms of its entries, as in the paper's figures. */
  readonly log?: ReadonlyArray<number>
  readonly commit?: number
  readonly votedFor?: string
  /** Whether term and vote are on disk. Default true. */
  readonly isDurable?: boolean
  readonly snapshot?: SnapshotMeta
}

const state = (given: Given): NodeState.NodeState => {
  const initial = NodeState.initial({
    self: Build.id("n1"),
    config: Build.config(),
    membership: Build.membership({ voters: 3 }),
    hardState: {
      currentTerm: given.term as Term,
      votedFor: given.votedFor === undefined ? null : Build.id(given.votedFor)
    },
    base: Build.logBase(Build.start),
    blocks: Build.blocks(given.log ?? []),
    committed: 0 as LogIndex,
    snapshot: undefined,
    firstRequestId: 0,
    stamp: { nowMillis: 0, wallMillis: 0, jitter: 0 }
  })
  const leader: NodeState.Leader = {
    _tag: "Leader",
    termStartIndex: initial.log.lastIndex,
    progress: PeerProgress.of([], Progress.initial({ nextIndex: 1 as LogIndex, nowMillis: 0 })),
    settledIndex: 0 as LogIndex,
    transfer: undefined,
    hasUrged: false,
    beat: 0,
    beatMillis: 0,
    beatTimeMillis: 0,
    roundStarts: [],
    disk: { persisted: 0, sinceMillis: 0 },
    round: 0,
    answeredRound: 0,
    quickest: [],
    asked: undefined,
    reads: []
  }
  return {
    ...initial,
    snapshot: given.snapshot,
    role: given.role === "Leader" ? leader : initial.role,
    commitIndex: (given.commit ?? 0) as LogIndex,
    durability: { ...initial.durability, hardState: given.isDurable === false ? 1 : 0 }
  }
}

/** What nodes do, one line after the other. */
class History {
  readonly all = Invariants.make()

  starts(name: string, given: Given): this {
    this.all.tracerOf(Build.id(name)).onStart?.(state(given), 0)
    return this
  }

  turns(name: string, before: Given, after: Given, actions: ReadonlyArray<Action> = []): this {
    this.all
      .tracerOf(Build.id(name))
      .onTurn?.({ nowMillis: 0, events: [], before: state(before), after: state(after), actions })
    return this
  }

  /** The node's log is `log` from now on, and what is new in it goes to the disk. */
  appends(name: string, options: { readonly log: ReadonlyArray<number>; readonly blocks?: Blocks }): this {
    const after = { term: Math.max(...options.log), log: options.log }
    const blocks = options.blocks ?? Build.blocks(options.log)
    const lastIndex = options.log.length as LogIndex
    return this.turns(name, { term: after.term }, after, [{ _tag: "Persist", ticket: 1, blocks, lastIndex }])
  }

  applies(name: string, terms: ReadonlyArray<number>, firstIndex = 1): this {
    for (const block of Build.blocks(terms, firstIndex)) this.appliesBlock(name, block)
    return this
  }

  appliesBlock(name: string, block: LogEntry.EntryBlock): this {
    for (const entry of LogEntry.entries(block))
      this.all.tracerOf(Build.id(name)).onApplied?.(entry, undefined)
    return this
  }
}

/** A configuration of so many voters is applied at index 2, and a snapshot of n1 taken at `index`. */
const growsTo = (
  history: History,
  voters: number,
  taken: { readonly index: number; readonly voters: number }
) => {
  const block = Build.configuration({ index: 2, term: 1 }, Build.membership({ voters }))
  const snapshot = Build.snapshot({ index: taken.index, term: 1 }, { membership: Build.membership(taken) })
  return history
    .starts("n1", { term: 1 })
    .applies("n1", [1])
    .appliesBlock("n1", block)
    .turns("n1", { term: 1, log: [1, 1], commit: 2 }, { term: 1, log: [1, 1], commit: 2, snapshot })
}

type Blocks = ReadonlyArray<LogEntry.EntryBlock>

const violates = (property: string, what: string, tell: (history: History) => void) =>
  it(`${property}: ${what}`, () => {
    const history = new History()
    assert.throws(() => tell(history), `${property} is violated at n`)
    assert.strictEqual(history.all.violations()[0]?.property, property)
  })

const holds = (property: string, what: string, tell: (history: History) => void) =>
  it(`${property} holds: ${what}`, () => {
    const history = new History()
    tell(history)
    assert.deepStrictEqual(history.all.violations(), [])
  })

const follower = (term: number): Given => ({ term })
const leader = (term: number, log: ReadonlyArray<number> = [term], commit = 0): Given => ({
  role: "Leader",
  term,
  log,
  commit
})

describe("histories", () => {
  violates("Election Safety", "two leaders in one term", (history) =>
    history.turns("n1", follower(2), leader(2)).turns("n2", follower(2), leader(2))
  )
  holds("Election Safety", "leaders of two terms at the same time", (history) =>
    history.turns("n1", follower(2), leader(2)).turns("n2", follower(3), leader(3))
  )

  violates("Leader Append-Only", "a leader cuts its log", (history) =>
    history.turns("n1", leader(2, [1, 2]), leader(2, [1]))
  )
  violates("Leader Append-Only", "a leader replaces an entry", (history) =>
    history.turns("n1", leader(3, [1, 2]), leader(3, [1, 3]))
  )
  holds("Leader Append-Only", "a leader appends; a deposed one cuts", (history) =>
    history
      .turns("n1", leader(2, [1, 2]), leader(2, [1, 2, 2]))
      .turns("n1", leader(2, [1, 2, 2]), { term: 3, log: [1, 3] })
  )

  violates("Log Matching", "two commands at the same index of the same term", (history) =>
    history.appends("n1", { log: [1, 1] }).appends("n2", { log: [1, 1], blocks: otherBlocks([1, 1]) })
  )
  violates("Log Matching", "the same entry after entries of different terms", (history) =>
    history.appends("n1", { log: [1, 1, 3] }).appends("n2", { log: [1, 2, 3] })
  )
  violates("Log Matching", "a log on a disk that was changed", (history) => {
    history.appends("n1", { log: [1, 1, 3] }).starts("n1", { term: 3, log: [1, 2, 3] })
  })
  holds("Log Matching", "different terms at the same index", (history) =>
    history.appends("n1", { log: [1, 1] }).appends("n2", { log: [1, 2] })
  )

  violates("Leader Completeness", "a leader without what was committed before its term", (history) =>
    history.turns("n1", leader(1, [1, 1]), leader(1, [1, 1], 2)).turns("n2", follower(2), leader(2, [1, 2]))
  )
  violates("Leader Completeness", "a leader whose log ends too early", (history) =>
    history.turns("n1", leader(1, [1, 1]), leader(1, [1, 1], 2)).turns("n2", follower(2), leader(2, [1]))
  )
  holds("Leader Completeness", "what was not committed may be missing", (history) =>
    history.turns("n1", leader(1, [1, 1]), leader(1, [1, 1], 1)).turns("n2", follower(2), leader(2, [1, 2]))
  )

  violates("Permanence", "a follower cuts off what was committed", (history) =>
    history
      .turns("n1", leader(1, [1, 1]), leader(1, [1, 1], 2))
      .turns("n2", { term: 1, log: [1, 1] }, { term: 1, log: [1] })
  )
  violates("Permanence", "a follower replaces what was committed", (history) =>
    history
      .turns("n1", leader(1, [1, 1]), leader(1, [1, 1], 2))
      .turns("n2", { term: 1, log: [1, 1, 1] }, { term: 2, log: [1, 2, 2] })
  )
  holds("Permanence", "what was not committed goes, and what was not there may be missing", (history) =>
    history
      .turns("n1", leader(1, [1, 1, 1]), leader(1, [1, 1, 1], 2))
      .turns("n2", { term: 1, log: [1, 1, 1] }, { term: 2, log: [1, 1, 2] })
      .turns("n3", { term: 1, log: [1] }, { term: 2, log: [1] })
  )

  violates("Snapshot Membership", "a snapshot carries a configuration that came after it", (history) =>
    growsTo(history, 4, { index: 1, voters: 4 })
  )
  violates("Snapshot Membership", "a snapshot carries a configuration that was replaced", (history) =>
    growsTo(history, 4, { index: 2, voters: 3 })
  )
  holds("Snapshot Membership", "a snapshot carries the configuration of its last entry", (history) =>
    growsTo(history, 4, { index: 2, voters: 4 })
  )
  holds("Snapshot Membership", "a snapshot carries that which was in force there", (history) =>
    growsTo(history, 4, { index: 1, voters: 3 })
  )

  violates("State Machine Safety", "two nodes apply different entries at an index", (history) =>
    history.applies("n1", [1, 1]).applies("n2", [1, 2])
  )
  violates("State Machine Safety", "an index is left out", (history) =>
    history.applies("n1", [1]).applies("n1", [1], 3)
  )
  violates("State Machine Safety", "an entry is applied twice", (history) =>
    history.applies("n1", [1, 1]).applies("n1", [1], 2)
  )
  holds("State Machine Safety", "a restarted node applies from the start", (history) =>
    history
      .applies("n1", [1, 1])
      .starts("n1", { term: 1, log: [1, 1] })
      .applies("n1", [1, 1])
  )

  violates("Monotonicity", "a term falls", (history) => history.turns("n1", follower(3), follower(2)))
  violates("Monotonicity", "a commit index falls", (history) =>
    history.turns("n1", leader(1, [1, 1], 2), leader(1, [1, 1], 1))
  )
  violates("Monotonicity", "two votes in a term", (history) =>
    history
      .turns("n1", follower(2), { term: 2, votedFor: "n2" })
      .turns("n1", { term: 2, votedFor: "n2" }, { term: 2, votedFor: "n3" })
  )
  violates("Monotonicity", "a vote that was told is forgotten by a crash", (history) =>
    history.turns("n1", follower(2), { term: 2, votedFor: "n2" }).starts("n1", follower(2))
  )
  violates("Monotonicity", "a term that was told is forgotten by a crash", (history) =>
    history.turns("n1", follower(1), follower(2)).starts("n1", follower(1))
  )
  holds("Monotonicity", "a crash takes back what was not yet durable", (history) =>
    history
      .turns("n1", follower(1), { term: 2, votedFor: "n2", isDurable: false })
      .starts("n1", follower(1))
      .turns("n1", follower(1), { term: 2, votedFor: "n3" })
  )
})

/** Entries of these terms whose commands are not those that `Build.blocks` gives. */
function otherBlocks(terms: ReadonlyArray<number>): Blocks {
  return terms.map((term, at) =>
    LogEntry.encodeBlock([Build.command("another")], {
      firstIndex: (at + 1) as LogIndex,
      term: term as Term,
      timestampMillis: 0
    })
  )
}
