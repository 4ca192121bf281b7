/**
 * Snapshots: scenarios A21 to A25 of the 6.5840 labs (part 3D), and A31.
 *
 * A snapshot every ten entries, and nothing kept before it, so that whoever misses a few entries needs a
 * snapshot. Commands are about twenty bytes, as the labs' are.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { NodeId } from "../../src/NodeId.ts"
import * as LinkFaults from "../../src/testing/LinkFaults.ts"
import { lab, next } from "./LabHarness.ts"
import type { Lab } from "./LabHarness.ts"

/** The labs' interval between snapshots, in entries, and their bound on the log, in bytes. */
const interval = 10
const maxLogBytes = 2000

const config = { snapshotEveryEntries: interval, snapshotTrailingEntries: 0, snapshotPieceBytes: 100 }

const everywhere = { expectedServers: 3, retry: true }
const withoutOne = { expectedServers: 2, retry: true }

const checkLogs = (lab: Lab) =>
  Effect.forEach(lab.servers, (server) =>
    Effect.map(lab.logBytes(server), (bytes) =>
      assert.isBelow(bytes, maxLogBytes, `${server} holds ${bytes} bytes of log`)
    )
  )

/** Half to one and a half intervals of commands: sometimes enough for a snapshot, sometimes for two. */
const submitSome = (lab: Lab, server: NodeId) =>
  Effect.gen(function* () {
    const count = yield* Random.nextIntBetween(interval / 2, interval + interval / 2)
    for (let i = 0; i < count; i++) yield* lab.submit(server, lab.newCommand())
  })

/** Everybody's machine holds the same, whoever got there by snapshots. */
const checkMachines = (lab: Lab) =>
  Effect.gen(function* () {
    const index = yield* lab.one(lab.newCommand(), everywhere)
    const [first, ...others] = yield* Effect.forEach(lab.servers, lab.journal)
    assert.strictEqual(first?.length, lab.placeOf(index))
    for (const other of others) assert.deepStrictEqual(other, first)
  })

/** How often a leader's snapshot took the place of somebody's log. */
const countInstalls = () => {
  const counted = { installs: 0 }
  const observe = () => ({
    onTurn: ({ actions }: { readonly actions: ReadonlyArray<{ readonly _tag: string }> }) => {
      counted.installs += actions.filter(({ _tag }) => _tag === "RestoreMachine").length
    }
  })
  return { counted, observe }
}

/** Rounds in which one server is gone while the others take snapshots, and must then catch up. */
const rounds = (
  lab: Lab,
  options: {
    readonly leave: (server: NodeId) => Effect.Effect<void>
    readonly comeBack: (server: NodeId) => Effect.Effect<void>
  }
) =>
  Effect.gen(function* () {
    yield* lab.one(lab.newCommand(), everywhere)
    let leader = yield* lab.checkOneLeader
    for (let round = 0; round < 30; round++) {
      const isLeaderGone = round % 3 === 1
      const [victim, sender] = isLeaderGone ? [leader, lab.after(leader, 1)] : [lab.after(leader, 1), leader]
      yield* options.leave(victim)
      yield* lab.one(lab.newCommand(), withoutOne)
      yield* submitSome(lab, sender)
      yield* lab.one(lab.newCommand(), withoutOne)
      yield* checkLogs(lab)
      yield* options.comeBack(victim)
      yield* lab.one(lab.newCommand(), everywhere)
      leader = yield* lab.checkOneLeader
    }
    yield* checkMachines(lab)
  })

const disconnecting = (lab: Lab) =>
  rounds(lab, {
    leave: (server) => Effect.sync(() => lab.disconnect(server)),
    comeBack: (server) => Effect.sync(() => lab.connect(server))
  })

const crashing = (lab: Lab) => rounds(lab, { leave: lab.crash, comeBack: lab.start })

lab(
  "A21 a snapshot every ten entries, thirty rounds: the stored log stays small",
  { size: 3, config },
  (lab) =>
    Effect.gen(function* () {
      yield* lab.one(lab.newCommand(), everywhere)
      const leader = yield* lab.checkOneLeader
      for (let round = 0; round < 30; round++) {
        yield* submitSome(lab, leader)
        yield* lab.one(lab.newCommand(), everywhere)
        yield* checkLogs(lab)
      }
      for (const server of lab.servers) assert.isAbove(lab.cluster.state(server).log.base.index, 30 * 5)
      yield* checkMachines(lab)
    })
)

for (const [kind, network] of [
  ["reliable", LinkFaults.reliable],
  ["unreliable", LinkFaults.unreliable]
] as const) {
  for (const [scenario, what, play] of [
    ["A22", "who was cut off", disconnecting],
    ["A23", "who crashed", crashing]
  ] as const) {
    const { counted, observe } = countInstalls()
    lab(`${scenario} ${what} catches up by snapshot, ${kind}`, { size: 3, config, network, observe }, (lab) =>
      Effect.gen(function* () {
        yield* play(lab)
        // It must have come to that, or nothing was shown.
        assert.isAbove(counted.installs, 5)
      })
    )
  }
}

lab("A24 everybody crashes, and no index goes backwards", { size: 3, config }, (lab) =>
  Effect.gen(function* () {
    yield* lab.one(lab.newCommand(), everywhere)
    for (let round = 0; round < 5; round++) {
      yield* submitSome(lab, yield* lab.checkOneLeader)
      const before = yield* lab.one(lab.newCommand(), everywhere)
      yield* Effect.forEach(lab.servers, lab.crash)
      yield* Effect.forEach(lab.servers, lab.start)
      for (const server of lab.servers) {
        const { log, commitIndex, snapshot } = lab.cluster.state(server)
        assert.isAtLeast(log.lastIndex, before)
        assert.strictEqual(commitIndex, snapshot?.lastIndex ?? 0)
      }
      assert.isAtLeast(yield* lab.one(lab.newCommand(), everywhere), next(before))
    }
    yield* checkMachines(lab)
  })
)

lab("A25 all restart twice: the snapshot survives what is saved after it", { size: 3, config }, (lab) =>
  Effect.gen(function* () {
    const restartAll = Effect.andThen(
      Effect.forEach(lab.servers, lab.crash),
      Effect.forEach(lab.servers, lab.start)
    )
    yield* lab.one(lab.newCommand(), everywhere)
    for (let count = 0; count < interval + 2; count++) yield* lab.one(lab.newCommand(), everywhere)
    yield* restartAll
    // One entry, which makes every server save, and save less than a snapshot's worth.
    yield* lab.one(lab.newCommand(), everywhere)
    yield* restartAll
    yield* lab.one(lab.newCommand(), everywhere)
    for (const server of lab.servers) {
      assert.strictEqual((yield* lab.journal(server)).length, interval + 5)
      assert.isAtLeast(lab.cluster.state(server).log.base.index, interval)
    }
    yield* checkMachines(lab)
  })
)

const limitBytes = 1000

lab(
  "A31 with a limit on its bytes the log stays within twice the limit",
  {
    size: 3,
    network: LinkFaults.unreliable,
    config: { snapshotEveryBytes: limitBytes, snapshotTrailingBytes: limitBytes / 2, snapshotPieceBytes: 200 }
  },
  (lab) =>
    Effect.gen(function* () {
      let largest = 0
      for (let count = 0; count < 150; count++) {
        yield* lab.one(`${lab.newCommand()} ${"x".repeat(count % 60)}`, everywhere)
        for (const bytes of yield* Effect.forEach(lab.servers, lab.logBytes)) {
          largest = Math.max(largest, bytes)
          assert.isAtMost(bytes, 2 * limitBytes)
        }
      }
      // It was neared, so the bound means something; and a window stays behind the snapshot.
      assert.isAbove(largest, limitBytes)
      for (const bytes of yield* Effect.forEach(lab.servers, lab.logBytes)) assert.isAbove(bytes, 0)
      yield* checkMachines(lab)
    })
)
