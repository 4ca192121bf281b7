/**
 * The trace of a cluster: complete, readable, in causal order, the same every time, and true enough that
 * a program can check Raft's promises with nothing else.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import type { NodeId } from "../src/NodeId.ts"
import { RaftConfig } from "../src/RaftConfig.ts"
import * as LinkFaults from "../src/testing/LinkFaults.ts"
import * as RaftTest from "../src/testing/RaftTest.ts"
import * as Plan from "../src/testing/simulation/Plan.ts"
import * as Simulation from "../src/testing/Simulation.ts"
import type { Workload } from "../src/testing/Workload.ts"
import { TraceEvent } from "../src/TraceEvent.ts"
import * as TraceEvents from "../src/TraceEvent.ts"
import { TracedMessage } from "../src/TracedMessage.ts"
import { Journal } from "./cluster/Journal.ts"

type Events = ReadonlyArray<TraceEvent>

/** A life in which everything happens: elections, a conflict, reads that hang, a crash, a shutdown. */
const eventfulLife = (seed: string) =>
  Effect.gen(function* () {
    const config = RaftConfig.make({
      maxUncommittedBytes: 200,
      snapshotEveryEntries: 4,
      snapshotTrailingEntries: 0,
      snapshotPieceBytes: 20,
      // So that a leader that was cut off speaks as one when it is back, and is told that its term is over.
      checkQuorum: false
    })
    const cluster = yield* RaftTest.make(Journal, { size: 3, seed, config, network: LinkFaults.unreliable })
    for (const nodeId of cluster.nodeIds) {
      yield* cluster.disk.setWriteLatencyMillis(cluster.identityOf(nodeId), 3)
    }
    const old = yield* cluster.awaitLeader()
    const others = cluster.nodeIds.filter((nodeId) => nodeId !== old)
    yield* cluster.propose("first", old)

    // A leader that is cut off takes what will never be committed, until it has too much of it.
    cluster.network.isolate(old)
    for (const command of ["x".repeat(200), "too much"]) {
      yield* Effect.forkChild(Effect.exit(cluster.raft(old).propose(command)), { startImmediately: true })
      yield* cluster.advance("10 millis")
    }
    yield* Effect.forkChild(Effect.exit(cluster.raft(old).read((journal) => journal)), {
      startImmediately: true
    })
    const leader = yield* cluster.awaitLeader({ among: others })
    yield* cluster.propose("second", leader)
    cluster.network.rejoin(old)
    yield* cluster.advance("1 second")

    // A follower asks in vain for an index to read at, and asks again.
    const follower = others.find((nodeId) => nodeId !== leader)!
    cluster.network.configureLink({ from: follower, to: leader }, { requestLoss: 1 })
    yield* Effect.forkChild(Effect.exit(cluster.raft(follower).read((journal) => journal)), {
      startImmediately: true
    })
    yield* cluster.advance("200 millis")
    cluster.network.configure(LinkFaults.reliable)
    yield* cluster.read((journal) => journal, yield* cluster.awaitLeader())
    yield* Effect.exit(cluster.propose("third", follower))

    // One is away for so long that the others have nothing but a snapshot for it.
    const away = cluster.nodeIds.find((nodeId) => nodeId !== cluster.leaders()[0])!
    yield* cluster.kill(away)
    for (let count = 1; count <= 8; count++) {
      yield* cluster.propose(`while it is away ${count}`, yield* cluster.awaitLeader())
    }
    yield* cluster.start(away)
    yield* cluster.until("it has caught up", () => cluster.appliedIndex(away) > 8)

    yield* cluster.kill(yield* cluster.awaitLeader())
    yield* cluster.propose("fourth", yield* cluster.awaitLeader())
    yield* cluster.restart(yield* cluster.awaitLeader())
    for (const nodeId of cluster.nodeIds) if (!cluster.isUp(nodeId)) yield* cluster.start(nodeId)
    yield* cluster.propose("fifth", yield* cluster.awaitLeader())
    for (const address of ["memory:elsewhere", "memory:n1"]) {
      const moved = { _tag: "Move", nodeId: cluster.nodeIds[1]!, address } as const
      yield* Effect.exit(cluster.drive(cluster.raft(yield* cluster.awaitLeader()).changeMembership(moved)))
    }
    const heir = cluster.nodeIds.find((nodeId) => nodeId !== cluster.leaders()[0])!
    yield* cluster.kill(heir)
    for (const to of [heir, cluster.nodeIds.find((nodeId) => cluster.leaders()[0] === nodeId)!])
      yield* Effect.exit(cluster.drive(cluster.raft(yield* cluster.awaitLeader()).transferLeadership({ to })))
    yield* cluster.start(heir)
    yield* cluster.advance("1 second")
    yield* Effect.exit(cluster.drive(cluster.raft(yield* cluster.awaitLeader()).transferLeadership()))
    yield* cluster.advance("1 second")
    return { events: cluster.traceEvents(), lines: cluster.trace() }
  }).pipe(Effect.scoped, Effect.provide(TestClock.layer({ warningDelay: "1 minute" }), { local: true }))

const workload: Workload<string, ReadonlyArray<string>> = {
  next: ({ client, count, dice }) =>
    dice.happens(0.3)
      ? { _tag: "Read", query: (journal) => journal.length }
      : { _tag: "Propose", command: `${client}.${count}` }
}

/** A run of the simulator with everything that its plan drew. */
const simulated = (seed: string): Events => {
  const report = Simulation.run(
    Journal,
    workload,
    Plan.draw(seed, { size: 5, durationMillis: 2_000, operationsPerSecond: 20 }),
    {
      trace: true
    }
  )
  assert.isUndefined(report.failure)
  return report.traceEvents
}

const tagsOf = (things: ReadonlyArray<{ readonly _tag: string }>) =>
  Array.from(new Set(things.map(({ _tag }) => _tag))).sort()

const messagesIn = (events: Events, tag: "Sent" | "Received") =>
  events.flatMap((event) => (event._tag === tag ? [event.message] : []))

/** Only a file can be too slow: that has a test of its own. */
const shownElsewhere = ["Dropped"]

describe("a trace", () => {
  it.effect("has every kind of event and of message", () =>
    Effect.gen(function* () {
      const { events } = yield* eventfulLife("21")
      const kinds = Object.keys(TraceEvent.cases).filter((tag) => !shownElsewhere.includes(tag))
      assert.deepStrictEqual(tagsOf(events), kinds.sort())
      const messages = TracedMessage.members.map((member) => member.fields._tag.schema.literal).sort()
      assert.deepStrictEqual(tagsOf(messagesIn(events, "Sent")), messages)
      assert.deepStrictEqual(tagsOf(messagesIn(events, "Received")), messages)
      const timers = events.flatMap((event) => (event._tag === "TimerFired" ? [event.timer] : []))
      assert.deepStrictEqual(Array.from(new Set(timers)).sort(), ["Election", "Heartbeat", "ReadRetry"])
    })
  )

  it.effect("is lines that give the same events, and the same lines, when they are read", () =>
    Effect.gen(function* () {
      const { events } = yield* eventfulLife("18")
      for (const event of [...events, ...simulated("3")]) {
        const line = TraceEvents.toLine(event)
        assert.notInclude(line, "\n")
        assert.deepStrictEqual(TraceEvents.fromLine(line), event)
        assert.strictEqual(TraceEvents.toLine(TraceEvents.fromLine(line)), line)
      }
    })
  )

  it.effect("is the same for the same seed, and another for another", () =>
    Effect.gen(function* () {
      const [one, two, other] = [yield* eventfulLife("1"), yield* eventfulLife("1"), yield* eventfulLife("2")]
      assert.strictEqual(fileOf(one.events), fileOf(two.events))
      assert.deepStrictEqual(one.lines, two.lines)
      assert.notStrictEqual(fileOf(one.events), fileOf(other.events))
      assert.strictEqual(fileOf(simulated("5")), fileOf(simulated("5")))
    })
  )

  it.effect("is in causal order", () =>
    Effect.gen(function* () {
      const { events } = yield* eventfulLife("19")
      for (const trace of [events, simulated("1"), simulated("2")]) {
        assertCausal(trace)
        assert.isAbove(messagesIn(trace, "Received").length, 100)
      }
    })
  )

  it.effect("tells enough to check what was on disk before it was promised", () =>
    Effect.gen(function* () {
      const { events } = yield* eventfulLife("20")
      for (const trace of [events, simulated("1"), simulated("2"), simulated("4")]) {
        const { votes, acknowledgements } = replay(trace)
        assert.isAbove(Math.min(votes, acknowledgements), 0)
      }
    })
  )

  it.effect("has a line in fixed columns for every event", () =>
    Effect.gen(function* () {
      const { events, lines } = yield* eventfulLife("17")
      assert.strictEqual(lines.length, events.length)
      for (const [at, line] of lines.entries()) {
        const { timeMillis, node, role, _tag } = events[at]!
        assert.strictEqual(line.slice(0, 12), timeMillis.toFixed(3).padStart(12))
        assert.strictEqual(line.slice(13, 15), node)
        assert.strictEqual(line.slice(18, 30).trimEnd(), role)
        const what = line.slice(71)
        assert.match(
          what,
          _tag === "Sent" ? /^>> n\d [A-Z]/ : _tag === "Received" ? /^<< n\d [A-Z]/ : new RegExp(`^${_tag}`)
        )
      }
    })
  )

  it.effect("is not kept when nobody wants it", () =>
    Effect.gen(function* () {
      const cluster = yield* RaftTest.make(Journal, { size: 1, seed: "1", trace: false })
      yield* cluster.awaitLeader()
      assert.deepStrictEqual([cluster.trace(), cluster.traceEvents()], [[], []])
    })
  )
})

const fileOf = (events: Events) => events.map((event) => `${TraceEvents.toLine(event)}\n`).join("")

/** Nothing is received that was not sent before, no node's time goes back, and the dead say nothing. */
const assertCausal = (events: Events): void => {
  const sent = new Set<string>()
  const timeOf = new Map<NodeId, number>()
  const up = new Set<NodeId>()
  for (const event of events) {
    const { node, timeMillis } = event
    assert.isAtLeast(timeMillis, timeOf.get(node) ?? 0, TraceEvents.toLine(event))
    timeOf.set(node, timeMillis)
    assert.strictEqual(up.has(node), event._tag !== "Started", TraceEvents.toLine(event))
    up.add(node)
    if (event._tag === "Crashed" || event._tag === "Stopped") up.delete(node)
    if (event._tag === "Sent") sent.add(`${node} ${event.to} ${JSON.stringify(event.message)}`)
    if (event._tag === "Received") {
      assert.isTrue(
        sent.has(`${event.from} ${node} ${JSON.stringify(event.message)}`),
        TraceEvents.toLine(event)
      )
    }
  }
}

/** Follows log and disk of every node through a trace, and checks what is said against what is there. */
const replay = (events: Events): { readonly votes: number; readonly acknowledgements: number } => {
  const lastIndex = new Map<NodeId, number>()
  const snapshots = new Map<NodeId, number>()
  const disks = new Map<
    NodeId,
    { readonly currentTerm: number; readonly votedFor: NodeId | null; readonly index: number }
  >()
  let votes = 0
  let acknowledgements = 0
  for (const event of events) {
    const { node } = event
    const line = TraceEvents.toLine(event)
    const last = lastIndex.get(node) ?? 0
    switch (event._tag) {
      case "Started":
        lastIndex.set(node, event.log?.last ?? event.base.index)
        snapshots.set(node, event.snapshot?.lastIndex ?? 0)
        assert.isAtLeast(event.snapshot?.lastIndex ?? 0, event.base.index, line)
        disks.set(node, { currentTerm: event.term, votedFor: event.votedFor, index: event.lastIndex })
        break
      case "Truncated":
        assert.strictEqual(last - event.count + 1, event.fromIndex, line)
        lastIndex.set(node, event.fromIndex - 1)
        break
      case "Appended":
        assert.strictEqual(event.entries.first, last + 1, line)
        lastIndex.set(node, event.entries.last)
        break
      case "SnapshotTaken":
      case "SnapshotReceived":
        snapshots.set(node, Math.max(snapshots.get(node) ?? 0, event.snapshot.lastIndex))
        break
      case "LogBaseMoved":
        assert.isAtMost(event.base.index, event.commitIndex, line)
        assert.isAtMost(event.base.index, snapshots.get(node) ?? 0, line)
        lastIndex.set(node, Math.max(last, event.base.index))
        break
      case "Restored":
        assert.isAtMost(event.index, snapshots.get(node) ?? 0, line)
        break
      case "Durable":
        disks.set(node, { ...event.hardState, index: event.durableIndex })
        break
      case "Sent": {
        const disk = disks.get(node)!
        if (event.message._tag === "RequestVoteReply" && event.message.granted) {
          votes += 1
          assert.include(disk, { currentTerm: event.message.term, votedFor: event.to }, line)
        }
        if (event.message._tag === "AppendAccepted" || event.message._tag === "InstallSnapshotReply") {
          acknowledgements += 1
          assert.isAtMost(event.message.matchIndex, Math.max(disk.index, snapshots.get(node) ?? 0), line)
        }
        break
      }
      default:
        break
    }
    assert.isAtMost(event.commitIndex, event.lastIndex, line)
  }
  return { votes, acknowledgements }
}
