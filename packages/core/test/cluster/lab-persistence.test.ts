/**
 * Persistence: scenarios A14 to A20 of the 6.5840 labs (part 3C).
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import type { NodeId } from "../../src/NodeId.ts"
import * as LinkFaults from "../../src/testing/LinkFaults.ts"
import { lab, labElectionTimeoutMillis } from "./LabHarness.ts"
import type { Lab } from "./LabHarness.ts"

const everywhere = (lab: Lab) => ({ expectedServers: lab.servers.length, retry: true })

const restart = (lab: Lab, server: NodeId) => Effect.andThen(lab.crash(server), lab.start(server))

const oneOf = <A>(items: ReadonlyArray<A>): Effect.Effect<A> =>
  Effect.map(Random.nextIntBetween(0, items.length, { halfOpen: true }), (i) => items[i]!)

const happens = (probability: number): Effect.Effect<boolean> =>
  Effect.map(Random.next, (drawn) => drawn < probability)

lab("A14 restart all, then the leader, then a follower", { size: 3 }, (lab) =>
  Effect.gen(function* () {
    yield* lab.one("11", everywhere(lab))
    yield* Effect.forEach(lab.servers, lab.crash)
    yield* Effect.forEach(lab.servers, lab.start)
    yield* lab.one("12", everywhere(lab))

    const first = yield* lab.checkOneLeader
    yield* restart(lab, first)
    yield* lab.one("13", everywhere(lab))

    const second = yield* lab.checkOneLeader
    yield* lab.crash(second)
    yield* lab.one("14", { expectedServers: 2, retry: true })
    yield* lab.start(second)
    // It replays what it had, and gets what it missed.
    while (lab.commands(second).length < 4) yield* Effect.sleep(20)

    const follower = lab.after(yield* lab.checkOneLeader, 1)
    yield* lab.crash(follower)
    yield* lab.one("15", { expectedServers: 2, retry: true })
    yield* lab.start(follower)
    yield* lab.one("16", everywhere(lab))
    for (const server of lab.servers) {
      assert.deepStrictEqual(lab.commands(server), ["11", "12", "13", "14", "15", "16"])
    }
  })
)

lab("A15 five rounds in which everybody is down at some time", { size: 5 }, (lab) =>
  Effect.gen(function* () {
    for (let round = 0; round < 5; round++) {
      yield* lab.one(lab.newCommand(), everywhere(lab))
      const leader = yield* lab.checkOneLeader
      const [one, two, three, four] = [1, 2, 3, 4].map((steps) => lab.after(leader, steps)) as [
        NodeId,
        NodeId,
        NodeId,
        NodeId
      ]
      yield* Effect.forEach([one, two], lab.crash)
      yield* lab.one(lab.newCommand(), { expectedServers: 3, retry: true })
      yield* Effect.forEach([leader, three, four], lab.crash)

      yield* Effect.forEach([one, two], lab.start)
      yield* Effect.sleep(labElectionTimeoutMillis)
      yield* lab.start(three)
      yield* lab.one(lab.newCommand(), { expectedServers: 3, retry: true })
      yield* Effect.forEach([four, leader], lab.start)
    }
    yield* lab.one(lab.newCommand(), everywhere(lab))
    for (const server of lab.servers) assert.strictEqual(lab.commands(server).length, 16)
  })
)

lab("A16 a partitioned leader and a crashed follower take turns", { size: 3 }, (lab) =>
  Effect.gen(function* () {
    yield* lab.one("101", everywhere(lab))
    const leader = yield* lab.checkOneLeader
    const [one, two] = [lab.after(leader, 1), lab.after(leader, 2)]
    lab.disconnect(two)
    yield* lab.one("102", { expectedServers: 2, retry: true })

    yield* Effect.forEach([leader, one], lab.crash)
    lab.connect(two)
    yield* lab.start(leader)
    yield* lab.one("103", { expectedServers: 2, retry: true })

    yield* lab.start(one)
    yield* lab.one("104", everywhere(lab))
    assert.deepStrictEqual(lab.commands(two), ["101", "102", "103", "104"])
  })
)

/** The labs' rhythm: mostly a moment, now and then half an election timeout. */
const shortWhile = Effect.gen(function* () {
  const longest = (yield* happens(0.1)) ? labElectionTimeoutMillis / 2 : 13
  yield* Effect.sleep(yield* Random.nextIntBetween(0, longest, { halfOpen: true }))
})

/** Everybody gets a command; gives the last one that took it for the leader. */
const submitEverywhere = (lab: Lab) =>
  Effect.gen(function* () {
    let leader: NodeId | undefined
    const command = lab.newCommand()
    for (const server of lab.servers) {
      if ((yield* lab.submit(server, command)) !== undefined) leader = server
    }
    return leader
  })

lab("A17 figure 8: the leader crashes right after it appends, a thousand times", { size: 5 }, (lab) =>
  Effect.gen(function* () {
    yield* lab.one(lab.newCommand(), { expectedServers: 1, retry: true })
    for (let round = 0; round < 1000; round++) {
      const leader = yield* submitEverywhere(lab)
      yield* shortWhile
      if (leader !== undefined) yield* lab.crash(leader)
      if (lab.servers.filter(lab.isUp).length < 3) yield* lab.start(yield* oneOf(lab.servers))
    }
    yield* Effect.forEach(lab.servers, lab.start)
    yield* lab.one("the end", everywhere(lab))
  })
)

lab(
  "A18 agreement on an unreliable network: 49 rounds of five concurrent proposals",
  { size: 5, network: LinkFaults.unreliable },
  (lab) =>
    Effect.gen(function* () {
      const agree = Effect.suspend(() => lab.one(lab.newCommand(), { expectedServers: 1, retry: true }))
      for (let round = 0; round < 49; round++) {
        yield* Effect.all(
          Array.from({ length: 5 }, () => agree),
          { concurrency: "unbounded" }
        )
      }
      lab.cluster.network.configure(LinkFaults.reliable)
      yield* lab.one("the end", everywhere(lab))
      for (const server of lab.servers) assert.isAtLeast(new Set(lab.commands(server)).size, 246)
    })
)

lab(
  "A19 figure 8 on an unreliable network, with long reordering after 200 of 1,000 rounds",
  { size: 5, network: LinkFaults.unreliable },
  (lab) =>
    Effect.gen(function* () {
      yield* lab.one(lab.newCommand(), { expectedServers: 1, retry: true })
      for (let round = 0; round < 1000; round++) {
        if (round === 200) lab.cluster.network.configure(LinkFaults.longReordering)
        const leader = yield* submitEverywhere(lab)
        yield* shortWhile
        if (leader !== undefined && (yield* happens(0.5))) lab.disconnect(leader)
        if (lab.servers.filter(lab.isConnected).length < 3) lab.connect(yield* oneOf(lab.servers))
      }
      lab.servers.forEach(lab.connect)
      yield* lab.one("the end", everywhere(lab))
    })
)

/** Proposes until it is interrupted, and notes what it saw committed. */
const churnClient = (lab: Lab, seen: Array<string>) =>
  Effect.gen(function* () {
    const command = lab.newCommand()
    let position = undefined
    for (const server of lab.servers) position = (yield* lab.submit(server, command)) ?? position
    if (position === undefined) return yield* Effect.sleep(79)
    // It may never commit, so do not wait for ever.
    for (const pauseMillis of [10, 20, 50, 100, 200]) {
      const committed = lab.nCommitted(position.index)
      if (committed.count > 0) {
        if (committed.command === command) seen.push(command)
        // Commits take no virtual time here: a client that never paused would keep the clock from moving on.
        return yield* Effect.sleep(1)
      }
      yield* Effect.sleep(pauseMillis)
    }
  }).pipe(Effect.forever)

const churn = (lab: Lab) =>
  Effect.gen(function* () {
    const seen: Array<string> = []
    const clients = yield* Effect.forEach([1, 2, 3], () => Effect.forkChild(churnClient(lab, seen)))
    for (let step = 0; step < 20; step++) {
      if (yield* happens(0.2)) lab.disconnect(yield* oneOf(lab.servers))
      if (yield* happens(0.5)) {
        const server = yield* oneOf(lab.servers)
        yield* lab.start(server)
        lab.connect(server)
      }
      if (yield* happens(0.2)) yield* lab.crash(yield* oneOf(lab.servers))
      yield* Effect.sleep(0.7 * labElectionTimeoutMillis)
    }
    yield* Effect.sleep(labElectionTimeoutMillis)
    lab.cluster.network.configure(LinkFaults.reliable)
    for (const server of lab.servers) {
      yield* lab.start(server)
      lab.connect(server)
    }
    yield* Fiber.interruptAll(clients)
    yield* Effect.sleep(labElectionTimeoutMillis)

    yield* lab.one("the end", everywhere(lab))
    assert.isNotEmpty(seen)
    for (const server of lab.servers) {
      const log = new Set(lab.commands(server))
      assert.deepStrictEqual(
        seen.filter((command) => !log.has(command)),
        [],
        `lost at ${server}`
      )
    }
  })

lab("A20 churn: crashes, restarts and cuts under three clients", { size: 5 }, churn)

lab("A20 churn on an unreliable network", { size: 5, network: LinkFaults.unreliable }, churn)
