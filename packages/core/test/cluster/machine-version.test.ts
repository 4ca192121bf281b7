/**
 * A rolling upgrade of the state machine: nodes get the new program one after the other, the group goes on with
 * the old version meanwhile, and all copies switch at one index of the log.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { NodeId } from "../../src/NodeId.ts"
import * as StateMachine from "../../src/StateMachine.ts"
import * as RaftTest from "../../src/testing/RaftTest.ts"
import { virtually } from "./ClusterTest.ts"

/** Each command is kept with the version that was in force; a switch leaves a mark. */
const common = {
  command: Schema.String,
  reply: Schema.String,
  state: Schema.Array(Schema.String),
  initial: [],
  apply: (
    state: ReadonlyArray<string>,
    command: string,
    { machineVersion }: { readonly machineVersion: number }
  ) => {
    const kept = `${command}@${machineVersion}`
    return { state: [...state, kept], reply: kept }
  }
}

const upgrade = (
  state: ReadonlyArray<string>,
  { from, to }: { readonly from: number; readonly to: number }
) => [...state, `${from}->${to}`]

class Old extends StateMachine.Service<Old>()("test/Versioned", common) {}
class New extends StateMachine.Service<Old>()("test/Versioned", { ...common, version: 1, upgrade }) {}
class Newest extends StateMachine.Service<Old>()("test/Versioned", { ...common, version: 3, upgrade }) {}

type Program = typeof Old | typeof New
type VersionedCluster = RaftTest.Cluster<string, string, ReadonlyArray<string>>

interface Rolling {
  readonly cluster: VersionedCluster
  /** Restarts a node with another program. */
  readonly install: (nodeId: NodeId, program: Program) => Effect.Effect<void>
}

const rolling = (
  name: string,
  options: Omit<RaftTest.Options, "seed"> & { readonly program: Program },
  body: (rolling: Rolling) => Effect.Effect<void, unknown, Scope.Scope>
) =>
  it.effect(name, () =>
    virtually(
      name,
      Effect.gen(function* () {
        const programs = new Map<NodeId, Program>()
        const { program, ...rest } = options
        const programOf = (nodeId: NodeId) => programs.get(nodeId) ?? program
        const cluster = yield* RaftTest.make(Old, { ...rest, seed: name }, programOf)
        const install = (nodeId: NodeId, next: Program) =>
          Effect.suspend(() => {
            programs.set(nodeId, next)
            return Effect.orDie(cluster.restart(nodeId))
          })
        yield* body({ cluster, install })
      })
    )
  )

const versions = (cluster: VersionedCluster) =>
  Effect.forEach(cluster.nodeIds, (nodeId) =>
    Effect.map(cluster.raft(nodeId).status, ({ machineVersion }) => machineVersion)
  )

const states = (cluster: VersionedCluster) =>
  Effect.forEach(cluster.nodeIds, (nodeId) => cluster.read((state) => state, nodeId))

rolling(
  "the group switches once the last member has the new program, at one index",
  { size: 3, program: Old },
  ({ cluster, install }) =>
    Effect.gen(function* () {
      yield* cluster.awaitLeader()
      yield* cluster.propose("a")
      for (const [i, nodeId] of cluster.nodeIds.entries()) {
        assert.deepStrictEqual(yield* versions(cluster), [0, 0, 0])
        yield* install(nodeId, New)
        yield* cluster.awaitLeader()
        yield* cluster.advance("300 millis")
        if (i < 2) assert.strictEqual(yield* cluster.propose(`during ${i}`), `during ${i}@0`)
      }
      yield* cluster.advance("3 seconds")
      assert.deepStrictEqual(yield* versions(cluster), [1, 1, 1])
      assert.strictEqual(yield* cluster.propose("after"), "after@1")
      for (const state of yield* states(cluster)) {
        assert.deepStrictEqual(state, ["a@0", "during 0@0", "during 1@0", "0->1", "after@1"])
      }
    })
)

rolling(
  "it does not switch while a member is away that was never heard of",
  { size: 3, program: New, startDown: true },
  ({ cluster }) =>
    Effect.gen(function* () {
      const [first, second, third] = cluster.nodeIds
      yield* cluster.start(first!)
      yield* cluster.start(second!)
      yield* cluster.awaitLeader()
      yield* cluster.advance("5 seconds")
      assert.strictEqual(yield* cluster.propose("a"), "a@0")
      yield* cluster.start(third!)
      yield* cluster.advance("3 seconds")
      assert.deepStrictEqual(yield* versions(cluster), [1, 1, 1])
      assert.strictEqual(yield* cluster.propose("b"), "b@1")
    })
)

rolling(
  "it takes the highest version that all have, and goes on from there",
  { size: 3, program: Newest },
  ({ cluster, install }) =>
    Effect.gen(function* () {
      yield* cluster.awaitLeader()
      yield* cluster.advance("3 seconds")
      assert.deepStrictEqual(yield* versions(cluster), [3, 3, 3])
      const [state] = yield* states(cluster)
      assert.deepStrictEqual(state, ["0->3"])
      for (const nodeId of cluster.nodeIds) yield* install(nodeId, Newest)
      yield* cluster.awaitLeader()
      yield* cluster.advance("3 seconds")
      assert.strictEqual(yield* cluster.propose("x"), "x@3")
      assert.deepStrictEqual((yield* states(cluster))[0], ["0->3", "x@3"], "once")
    })
)

rolling(
  "mixed: two members have version 3, one has version 1",
  { size: 3, program: Newest, startDown: true },
  ({ cluster, install }) =>
    Effect.gen(function* () {
      const [first, second, third] = cluster.nodeIds
      yield* install(first!, New)
      yield* cluster.start(second!)
      yield* cluster.start(third!)
      yield* cluster.awaitLeader()
      yield* cluster.advance("5 seconds")
      const highest = Math.max(...(yield* versions(cluster)))
      // Where the old program leads it proposes what it has, and so does a new one for its sake.
      assert.strictEqual(highest, 1)
      assert.strictEqual(yield* cluster.propose("x"), "x@1")
      yield* install(first!, Newest)
      yield* cluster.advance("5 seconds")
      assert.deepStrictEqual(yield* versions(cluster), [3, 3, 3])
      for (const state of yield* states(cluster)) assert.deepStrictEqual(state, ["0->1", "x@1", "1->3"])
    })
)

for (const snapshotEveryEntries of [1_000_000, 3]) {
  const from = snapshotEveryEntries === 3 ? "a snapshot" : "the log"
  rolling(
    `a node that is started with an older program afterwards stops and says so, from ${from}`,
    { size: 3, program: New, config: { snapshotEveryEntries, snapshotTrailingEntries: 0 } },
    ({ cluster, install }) =>
      Effect.gen(function* () {
        yield* cluster.awaitLeader()
        yield* cluster.advance("3 seconds")
        for (let i = 0; i < 8; i++) yield* cluster.propose(`${i}`)
        yield* cluster.advance("1 second")
        const [first] = cluster.nodeIds
        yield* install(first!, Old)
        const error = yield* cluster.drive(Effect.flip(cluster.raft(first!).failure))
        assert.deepInclude(error.reason, { _tag: "ProgramTooOld", version: 1, supported: 0 })
        assert.match(error.message, /Start a newer program on this node; its data is intact/)
        yield* install(first!, New)
        yield* cluster.advance("1 second")
        assert.deepStrictEqual(yield* versions(cluster), [1, 1, 1])
        const [one, other] = yield* states(cluster)
        assert.deepStrictEqual(one, other)
        assert.deepStrictEqual(one!.slice(0, 2), ["0->1", "0@1"])
      })
  )
}

rolling(
  "a leader that dies while it switches leaves the rest to its successor",
  { size: 3, program: New },
  ({ cluster }) =>
    Effect.gen(function* () {
      const leader = yield* cluster.awaitLeader()
      yield* cluster.kill(leader)
      yield* cluster.awaitLeader()
      yield* cluster.advance("1 second")
      yield* cluster.start(leader)
      yield* cluster.advance("3 seconds")
      assert.deepStrictEqual(yield* versions(cluster), [1, 1, 1])
      for (const state of yield* states(cluster)) assert.deepStrictEqual(state, ["0->1"])
    })
)
