/**
 * Queries that look at the state while their round is under way: what they saw is told only where it holds all
 * that they must see, and only when a quorum has confirmed the leader.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { ClientAnswer, QueryRequest } from "../../src/ClientMessage.ts"
import * as EarlyLooks from "../../src/internal/EarlyLooks.ts"
import { ReadSlots } from "../../src/internal/ReadSlots.ts"
import { RemoteRead } from "../../src/internal/RemoteRead.ts"
import type { Guest } from "../../src/internal/WaitingRoom.ts"
import { LogIndex } from "../../src/LogIndex.ts"
import { NotLeader, Unreachable } from "../../src/RaftError.ts"
import type { RaftErrorReason } from "../../src/RaftError.ts"
import { clientTest } from "./ClientTest.ts"
import { Tally } from "./Tally.ts"

const tooLate = new Unreachable({ waitedMillis: 1000, detail: "too late" })
const noLeader = new NotLeader({ leader: null })

const query = (id: number): QueryRequest => ({
  _tag: "Query",
  id,
  consistency: "linearizable",
  query: new Uint8Array(0)
})

/** A node whose state is a number, the index of what was applied last, and a client that asks for it. */
const setUp = (ids: ReadonlyArray<number> = [1]) => {
  const slots = new ReadSlots(() => tooLate)
  const answers: Array<readonly [id: number, said: unknown]> = []
  const opened: Array<number> = []
  const guests: Array<Guest> = []
  const node = { applied: 0, looks: 0, isLeaderless: false }
  const visit = {
    isOver: false,
    reads: new Set<RemoteRead>(),
    look: ({ id }: QueryRequest): ClientAnswer => {
      node.looks += 1
      return { _tag: "Done", id, bytes: Uint8Array.of(node.applied) }
    },
    answer: (answer: ClientAnswer) =>
      void answers.push([answer.id, answer._tag === "Done" ? answer.bytes[0] : answer.reason._tag]),
    failed: (id: number, reason: RaftErrorReason) => void answers.push([id, reason._tag]),
    waits: (guest: Guest) => {
      if (node.isLeaderless) guests.push(guest)
      return node.isLeaderless
    }
  }
  const read = new RemoteRead(
    visit,
    {
      appliedIndex: () => LogIndex.make(node.applied),
      forgetRead: (readId) => slots.forget(readId),
      read: (wait) => {
        const readId = slots.open(0, wait)
        opened.push(readId)
        return readId
      }
    },
    ids.map(query)
  )
  return { answers, guests, node, opened, read, slots, visit }
}

/** The round ended well: the read must see everything up to `index`. */
const confirm = ({ opened, slots }: ReturnType<typeof setUp>, index: number) =>
  slots.confirm(opened.slice(-1), LogIndex.make(index))

describe("queries that wait for a round", () => {
  it("are told what they saw meanwhile, if all that they must see was applied", () => {
    const test = setUp([1, 2])
    test.node.applied = 4
    test.read.begin()
    test.read.lookEarly()
    assert.deepStrictEqual(test.answers, [], "nothing is told before a quorum has confirmed the leader")
    test.node.applied = 5
    confirm(test, 4)
    assert.deepStrictEqual(test.answers, [
      [1, 4],
      [2, 4]
    ])
    assert.strictEqual(test.node.looks, 2)
    assert.strictEqual(test.visit.reads.size, 0)
  })

  it("look again if they looked before all of it was applied", () => {
    const test = setUp()
    test.node.applied = 4
    test.read.begin()
    test.read.lookEarly()
    test.node.applied = 5
    confirm(test, 5)
    assert.deepStrictEqual(test.answers, [[1, 5]])
  })

  it("look when they are confirmed if they had no time before", () => {
    const test = setUp()
    test.node.applied = 7
    test.read.begin()
    confirm(test, 7)
    assert.deepStrictEqual(test.answers, [[1, 7]])
  })

  it("forget what they saw when they have to ask another time", () => {
    const test = setUp()
    test.node.applied = 4
    test.node.isLeaderless = true
    test.read.begin()
    test.read.lookEarly()
    test.slots.failAll(noLeader)
    test.node.applied = 6
    for (const guest of test.guests) guest.again()
    confirm(test, 3)
    assert.deepStrictEqual(test.answers, [[1, 6]])
  })

  it("are told why when nobody confirms them", () => {
    const test = setUp([1, 2])
    test.read.begin()
    test.read.lookEarly()
    test.slots.failAll(tooLate)
    assert.deepStrictEqual(test.answers, [
      [1, "Unreachable"],
      [2, "Unreachable"]
    ])
    assert.strictEqual(test.visit.reads.size, 0)
  })
})

/** Turns of the scheduler in which an offer is taken. */
const settle = Effect.repeat(Effect.yieldNow, { times: 4 })

describe("an early look", () => {
  it.effect("comes later and once, to who waits, where it is promising", () =>
    Effect.gen(function* () {
      const slots = new ReadSlots(() => tooLate)
      const looked: Array<string> = []
      const waitOf = (name: string) => ({
        lookEarly: () => void looked.push(name),
        confirmed: () => {},
        refused: () => {}
      })
      let isPromising = false
      const { offer } = yield* EarlyLooks.make(slots, () => isPromising)
      const readIds = ["a", "b"].map((name) => slots.open(0, waitOf(name)))
      offer(readIds)
      yield* settle
      assert.deepStrictEqual(looked, [], "what is applied will not do")
      isPromising = true
      offer(readIds)
      assert.deepStrictEqual(looked, [], "what the turn has said goes out first")
      slots.forget(readIds[0]!)
      yield* settle
      assert.deepStrictEqual(looked, ["b"], "who has gone does not look")
    })
  )

  clientTest("tells nothing of a leader that another one has followed unnoticed", { size: 3 }, (cluster) =>
    Effect.gen(function* () {
      const former = yield* cluster.awaitLeader()
      yield* cluster.drive(cluster.raft(former).propose("first"), { within: "1 second" })
      cluster.network.isolate(former)
      const answers: Array<ClientAnswer> = []
      const visit = cluster.raft(former).entrance.admit({ answer: (answer) => void answers.push(answer) })
      const count = Tally.machine.queries!.query.encode({ _tag: "Count" })
      visit.take([{ _tag: "Query", id: 1, consistency: "linearizable", query: count }])
      const next = yield* cluster.awaitLeader({
        among: cluster.nodeIds.filter((nodeId) => nodeId !== former)
      })
      yield* cluster.drive(cluster.raft(next).propose("second"), { within: "1 second" })
      assert.deepStrictEqual(answers, [], "nobody confirms what the former leader saw")
      cluster.network.rejoin(former)
      yield* cluster.until("the query is answered", () => answers.length > 0)
      const [answer] = answers as [ClientAnswer]
      // It waited for a leader, and is refused, or was asked anew here: then it sees both.
      if (answer._tag === "Done") assert.strictEqual(Tally.machine.queries!.answer.decode(answer.bytes), 2)
    })
  )
})
