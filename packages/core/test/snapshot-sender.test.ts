/**
 * The fiber that sends a peer the snapshot, beside a leader whose turns the test takes: what it does when the peer
 * needs the next one before it is done with this one.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { RaftMessage } from "../src/RaftMessage.ts"
import type { SnapshotReader } from "../src/RaftStorage.ts"
import * as Leader from "../src/roles/Leader.ts"
import * as Build from "./rules/Build.ts"
import { leader } from "./rules/Harness.ts"
import { at, noWindow } from "./rules/Snapshots.ts"

const n2 = Build.id("n2")

/** Leads term 3 from entry 8 on; its log begins after its snapshot at 5, and n2 has nothing. */
const makeLeader = () => {
  const node = leader({ term: 3, snapshot: at(5, 1), log: [2, 2], config: noWindow })
  node.replicatesTo("n2")
  return node.receives("n2", Build.rejected({ term: 3, prev: 7, conflict: at(2, 0) }))
}

const readerOf = (place: Build.Place): SnapshotReader => ({
  meta: Build.snapshot(place),
  sizeBytes: 4,
  read: () => Effect.succeed(new Uint8Array(4))
})

/** Lets every fiber go on until it waits. */
const settle = Effect.forEach(Array.from({ length: 20 }), () => Effect.yieldNow, { discard: true })

it.effect(
  "a peer that needs the next snapshot while the file of this one is closed is sent it, without a turn",
  () =>
    Effect.gen(function* () {
      const node = makeLeader()
      const closing = Latch.makeUnsafe(false)
      const sent: Array<string> = []
      let newest = at(5, 1)
      const replicators = yield* Leader.makeReplicators({
        state: () => node.state,
        nowMillis: () => node.nowMillis,
        send: (to, message: RaftMessage) => {
          if (message._tag === "InstallSnapshot") sent.push(`${to} ${message.snapshot.id}`)
        },
        post: () => {},
        openSnapshot: Effect.acquireRelease(
          Effect.sync(() => readerOf(newest)),
          () => Latch.await(closing)
        ),
        onStorageFailed: Effect.die
      })
      yield* replicators.reconcile([n2])
      yield* settle
      assert.deepStrictEqual(sent, ["n2 n1-5"])

      // It has that one. While its file is closed, the connection breaks, and the log loses what comes after it.
      node.receives("n2", Build.installReply({ term: 3, snapshotId: "n1-5", match: 5 }))
      replicators.send()
      yield* settle
      node
        .happens({ _tag: "PeerLost", peer: n2 })
        .receives("n3", Build.accepted({ term: 3, match: 8 }))
        .hasTaken(at(8, 3))
      newest = at(8, 3)
      replicators.send()
      yield* settle
      assert.deepStrictEqual(sent, ["n2 n1-5"])

      closing.openUnsafe()
      yield* settle
      assert.deepStrictEqual(sent, ["n2 n1-5", "n2 n1-8"])
    })
)

it.effect.each<readonly [string, SnapshotReader | undefined]>([
  ["is not there", undefined],
  ["ends before the log begins", readerOf(at(4, 1))]
])("a snapshot that %s is looked for once in a turn, and not again and again", ([, reader]) =>
  Effect.gen(function* () {
    const node = makeLeader()
    let looks = 0
    const replicators = yield* Leader.makeReplicators({
      state: () => node.state,
      nowMillis: () => node.nowMillis,
      send: () => true,
      post: () => {},
      openSnapshot: Effect.sync(() => {
        looks += 1
        return reader
      }),
      onStorageFailed: Effect.die
    })
    yield* replicators.reconcile([n2])
    yield* settle
    assert.strictEqual(looks, 1)
    replicators.send()
    yield* settle
    assert.strictEqual(looks, 2)
  })
)
