/**
 * Whole clusters run by broken rules: the checks of the testing kit notice each, and nothing where the rules are sound.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import * as RaftLog from "../../src/consensus/RaftLog.ts"
import * as Transition from "../../src/consensus/Transition.ts"
import type { LogIndex } from "../../src/LogIndex.ts"
import type { Options } from "../../src/testing/RaftTest.ts"
import * as RaftTest from "../../src/testing/RaftTest.ts"
import { virtually } from "./ClusterTest.ts"
import { Journal } from "./Journal.ts"

type Rules = NonNullable<Options["rules"]>

/** Rules with one thing wrong, by what is wrong. */
const broken: Readonly<Record<string, Rules>> = {
  "a voter that forgets its vote": (before, event, stamp, emit) => {
    const asked = event._tag === "Received" && event.message._tag === "RequestVote"
    return Transition.apply(asked ? { ...before, votedFor: null } : before, event, stamp, emit)
  },
  "a leader that commits what it alone holds": (before, event, stamp, emit) => {
    const after = Transition.apply(before, event, stamp, emit)
    return after.role._tag === "Leader" ? { ...after, commitIndex: after.durability.index } : after
  },
  "a follower that believes any commit index": (before, event, stamp, emit) => {
    const after = Transition.apply(before, event, stamp, emit)
    if (event._tag !== "Received" || event.message._tag !== "AppendEntries") return after
    const told = Math.min(event.message.leaderCommit, after.log.lastIndex) as LogIndex
    return told > after.commitIndex ? { ...after, commitIndex: told } : after
  },
  "a voter that does not look at the log": (before, event, stamp, emit) => {
    const forgetful = { ...before, log: RaftLog.empty() }
    if (event._tag !== "Received" || event.message._tag !== "RequestVote") {
      return Transition.apply(before, event, stamp, emit)
    }
    return { ...Transition.apply(forgetful, event, stamp, emit), log: before.log }
  },
  "a node that sends before it has written": (before, event, stamp, emit) =>
    Transition.apply(before, event, stamp, (action) =>
      emit(
        action._tag === "SendWhenDurable"
          ? { _tag: "SendNow", to: action.to, message: action.message }
          : action
      )
    )
}

/** Leaders are cut off and machines lose their power while commands are on their way to slow disks. */
const turmoil = (rules: Rules | undefined, seed: string) =>
  virtually(
    seed,
    Effect.gen(function* () {
      const cluster = yield* RaftTest.make(Journal, {
        size: 3,
        seed,
        notifyLost: false,
        trace: false,
        config: { preVote: false, checkQuorum: false },
        ...(rules === undefined ? undefined : { rules })
      })
      const { nodeIds, network, disk } = cluster
      for (const nodeId of nodeIds) yield* disk.setWriteLatencyMillis(cluster.identityOf(nodeId), 5)

      for (let round = 0; round < 40; round++) {
        yield* cluster.advance(yield* Random.nextIntBetween(1, 1000))
        for (const nodeId of nodeIds) yield* Effect.ignore(cluster.raft(nodeId).submit(`${round}`))
        yield* cluster.advance(yield* Random.nextIntBetween(1, 8))
        const [leader] = cluster.leaders()
        const misfortune = yield* Random.nextIntBetween(0, 3)
        if (misfortune === 0) network.heal()
        else if (misfortune === 1 && leader !== undefined) network.isolate(leader)
        else {
          const victims = (yield* Random.shuffle(nodeIds)).slice(0, 2)
          for (const nodeId of victims) yield* cluster.kill(nodeId)
          yield* Effect.forEach(victims, cluster.start)
        }
      }
    })
  )

describe("clusters", () => {
  it.effect("sound rules pass", () =>
    Effect.forEach([1, 2, 3], (attempt) => turmoil(undefined, `sound ${attempt}`), { discard: true })
  )

  for (const [what, rules] of Object.entries(broken)) {
    it.effect(`${what} is caught`, () =>
      Effect.gen(function* () {
        for (let attempt = 1; attempt <= 20; attempt++) {
          const exit = yield* Effect.exit(turmoil(rules, `${what} ${attempt}`))
          if (Exit.isFailure(exit)) return assert.include(String(exit), "is violated at n")
        }
        return assert.fail("nobody noticed")
      })
    )
  }
})
