/**
 * The applier between entries and snapshots: what a snapshot stands for counts as applied, everybody who
 * waited for it goes on, and whoever waited for the reply to one of its entries hears that nobody knows.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as RaftLog from "../src/consensus/RaftLog.ts"
import * as Applier from "../src/internal/Applier.ts"
import type { Position, ProposalSlot } from "../src/internal/ReplySlots.ts"
import { ReplySlots } from "../src/internal/ReplySlots.ts"
import * as LogEntry from "../src/LogEntry.ts"
import type { RaftErrorReason } from "../src/RaftError.ts"
import type { SnapshotStore } from "../src/RaftStorage.ts"
import * as RaftTrace from "../src/RaftTrace.ts"
import { Journal } from "./cluster/Journal.ts"
import * as Build from "./rules/Build.ts"
import { index, term } from "./rules/Harness.ts"

/** What a machine that has applied a to d gives. */
const taken = (): Uint8Array => {
  const machine = Journal.machine.make()
  for (const [position, command] of ["a", "b", "c", "d"].entries()) {
    machine.apply(command, {
      index: index(position + 1),
      term: term(2),
      timestampMillis: 0,
      machineVersion: 0
    })
  }
  return Uint8Array.from(Array.from(machine.snapshot()).flatMap((piece) => Array.from(piece)))
}

/** A store with one snapshot, which ends at index 4 of term 2. */
const snapshots: SnapshotStore = {
  writer: () => Effect.die(new Error("nobody writes here")),
  reader: Effect.sync(() => {
    const bytes = taken()
    return {
      meta: Build.snapshot({ index: 4, term: 2 }),
      sizeBytes: bytes.byteLength,
      read: (offset, maxBytes) => Effect.succeed(bytes.subarray(offset, offset + maxBytes))
    }
  })
}

const make = Effect.gen(function* () {
  const slots = new ReplySlots()
  const restoredBytes: Array<number> = []
  const applier = yield* Applier.make({
    machine: Journal.machine,
    slots,
    tracer: RaftTrace.silent,
    snapshots,
    onPortion: () => {},
    onRestored: (bytes) => void restoredBytes.push(bytes)
  })
  const running = yield* Effect.forkScoped(applier.run, { startImmediately: true })
  return { slots, applier, running, restoredBytes }
})

/** A caller, and what it was told. */
const waiting = (slots: ReplySlots, position: Position) => {
  const told: Array<RaftErrorReason | "applied"> = []
  const slot: ProposalSlot = {
    kind: "Command",
    payload: new Uint8Array(),
    isAbandoned: () => false,
    onAppended: () => false,
    onApplied: () => void told.push("applied"),
    onFailed: (reason) => void told.push(reason)
  }
  slots.add(position, slot)
  return told
}

it.effect(
  "B50: who waits for an entry that a snapshot has taken the place of is told that nobody knows",
  () =>
    Effect.gen(function* () {
      const { slots, applier, restoredBytes } = yield* make
      const covered = waiting(slots, { index: index(3), term: term(2) })
      const beyond = waiting(slots, { index: index(5), term: term(2) })
      applier.restore(index(4))
      yield* Effect.yieldNow
      assert.strictEqual(applier.appliedIndex(), 4)
      assert.deepStrictEqual(restoredBytes, [taken().byteLength])
      assert.deepStrictEqual(
        covered.map((told) => (told === "applied" ? told : told._tag)),
        ["OutcomeUnknown"]
      )
      assert.deepStrictEqual([beyond, slots.size], [[], 1])
    })
)

it.effect("what waited for an index goes on when a snapshot reaches it", () =>
  Effect.gen(function* () {
    const { applier } = yield* make
    const seen: Array<ReadonlyArray<string>> = []
    applier.whenApplied(index(4), () => seen.push(applier.view()))
    const beyond = yield* Effect.forkChild(applier.appliedBeyond(index(3)), { startImmediately: true })
    applier.restore(index(4))
    yield* Fiber.join(beyond)
    assert.deepStrictEqual(seen, [["a", "b", "c", "d"]])
  })
)

it.effect("entries behind the snapshot are applied to what it held", () =>
  Effect.gen(function* () {
    const { applier } = yield* make
    const log = RaftLog.append(
      RaftLog.empty(Build.logBase({ index: 4, term: 2 })),
      blockOf("e", { firstIndex: 5, term: 2 })
    )
    applier.restore(index(4))
    applier.advance(log, index(5))
    yield* Effect.yieldNow
    yield* Effect.yieldNow
    assert.deepStrictEqual([applier.appliedIndex(), applier.view()], [5, ["a", "b", "c", "d", "e"]])
  })
)

it.effect("a machine that is further than the snapshot is not set back", () =>
  Effect.gen(function* () {
    const { applier } = yield* make
    const log = RaftLog.append(RaftLog.empty(), blockOf("own", { firstIndex: 1, term: 1, count: 6 }))
    applier.advance(log, index(6))
    yield* Effect.yieldNow
    applier.restore(index(4))
    yield* Effect.yieldNow
    assert.deepStrictEqual([applier.appliedIndex(), applier.view().length], [6, 6])
  })
)

it.effect("a snapshot that is gone when it is needed stops the node", () =>
  Effect.gen(function* () {
    const { applier, running } = yield* make
    applier.restore(index(9))
    const failure = yield* Effect.flip(Fiber.join(running))
    assert.strictEqual(failure._tag, "MachineFailure")
  })
)

const blockOf = (
  text: string,
  at: { readonly firstIndex: number; readonly term: number; readonly count?: number }
) => {
  const payload = Journal.machine.command.encode(text)
  const drafts = Array.from({ length: at.count ?? 1 }, () => ({ kind: "Command", payload }) as const)
  return LogEntry.encodeBlock(drafts, {
    firstIndex: index(at.firstIndex),
    term: term(at.term),
    timestampMillis: 0
  })
}
