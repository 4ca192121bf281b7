/**
 * From the log to the machine and back to the caller: scenarios A26 to A30 of the 6.5840 labs (part 4A).
 */
import { assert } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import type { NodeId } from "../../src/NodeId.ts"
import type { RaftError } from "../../src/RaftError.ts"
import { lab, labElectionTimeoutMillis } from "./LabHarness.ts"
import type { Lab } from "./LabHarness.ts"

const propose = (lab: Lab, server: NodeId, command: string) =>
  Effect.suspend(() => lab.cluster.raft(server).propose(command))

const newCommands = (lab: Lab, count: number) => Array.from({ length: count }, lab.newCommand)

lab("A26 fifty concurrent proposals get their own results, at the leader and elsewhere", { size: 3 }, (lab) =>
  Effect.gen(function* () {
    yield* lab.checkOneLeader
    const commands = newCommands(lab, 50)
    const replies = yield* Effect.forEach(
      commands,
      (command, i) => propose(lab, lab.servers[i % 3]!, command),
      { concurrency: "unbounded" }
    )
    // A journal's reply is the place of the command.
    yield* Effect.sleep(labElectionTimeoutMillis)
    for (const server of lab.servers) {
      const log = lab.commands(server)
      assert.deepStrictEqual(
        replies.map((place) => log[place]),
        commands
      )
    }
  })
)

lab("A27 the leader fails in mid-stream: every call ends, and what was answered stays", { size: 3 }, (lab) =>
  Effect.gen(function* () {
    const first = yield* lab.checkOneLeader
    const commands = newCommands(lab, 100)
    const calls = yield* Effect.forEach(commands, (command, i) =>
      propose(lab, first, command).pipe(Effect.delay(i * 2), Effect.result, Effect.forkChild)
    )
    yield* Effect.sleep(101)
    lab.disconnect(first)
    yield* lab.checkOneLeader
    yield* lab.one("after", { expectedServers: 2, retry: true })
    lab.connect(first)
    const results = yield* Fiber.joinAll(calls)

    yield* lab.one("the end", { expectedServers: 3, retry: true })
    const log = lab.commands(first)
    results.forEach((result, i) => {
      if (Result.isSuccess(result)) assert.strictEqual(log[result.success], commands[i])
      else if (result.failure.outcome === "none") assert.notInclude(log, commands[i])
    })
    assert.isAtLeast(results.filter(Result.isSuccess).length, 51)
    assert.strictEqual(new Set(log).size, log.length, "a command was applied twice")
  })
)

for (const checkQuorum of [true, false]) {
  lab(
    `A28 a hundred proposals at a leader cut off: all have answered 1 s after the heal (checkQuorum: ${checkQuorum})`,
    { size: 3, config: { checkQuorum } },
    (lab) =>
      Effect.gen(function* () {
        const first = yield* lab.checkOneLeader
        lab.disconnect(first)
        const calls = yield* Effect.forEach(newCommands(lab, 100), (command) =>
          Effect.forkChild(Effect.flip(propose(lab, first, command)), { startImmediately: true })
        )
        yield* lab.one("elsewhere", { expectedServers: 2, retry: true })
        lab.connect(first)
        yield* Effect.sleep(1000)

        assert.deepStrictEqual(
          calls.filter((call) => call.pollUnsafe() === undefined),
          []
        )
        const errors = yield* Fiber.joinAll(calls)
        for (const { reason } of errors) assert.strictEqual(reason._tag, "OutcomeUnknown")
        yield* lab.one("the end", { expectedServers: 3, retry: true })
        assert.deepStrictEqual(lab.commands(first), ["elsewhere", "the end"])
      })
  )
}

lab("A29 restart replays a hundred", { size: 3 }, (lab) =>
  Effect.gen(function* () {
    const commands = newCommands(lab, 100)
    for (const command of commands) yield* lab.one(command, { expectedServers: 1, retry: true })
    yield* Effect.forEach(lab.servers, lab.crash)
    yield* Effect.forEach(lab.servers, lab.start)
    for (const server of lab.servers) {
      const journal = yield* lab.cluster.raft(server).read((journal) => journal)
      assert.deepStrictEqual(journal, commands)
    }
    assert.strictEqual(yield* propose(lab, lab.servers[0]!, "next"), 100)
  })
)

lab("A30 proposals after shutdown end at once", { size: 3 }, (lab) =>
  Effect.gen(function* () {
    const leader = yield* lab.checkOneLeader
    yield* lab.cluster.stop(leader)
    const before = yield* Clock.currentTimeMillis
    const reasons = yield* Effect.forEach(newCommands(lab, 50), (command) =>
      Effect.map(Effect.flip(propose(lab, leader, command)), (error: RaftError) => error.reason._tag)
    )
    assert.deepStrictEqual(new Set(reasons), new Set(["ShuttingDown"]))
    assert.strictEqual(yield* Clock.currentTimeMillis, before)
  })
)
