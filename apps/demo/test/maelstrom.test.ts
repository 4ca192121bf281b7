/**
 * `effect-raft maelstrom` as Maelstrom would run it: three processes, a network that loses messages, a
 * leader that is killed and comes back, and a checker that looks at nothing but what the clients saw.
 *
 * A failure prints the seed; `MAELSTROM_SEED=17 vitest run …/maelstrom.test.ts` has the faults and the
 * requests of that one again.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Linearizability from "@effect-raft/core/testing/Linearizability"
import { RegisterModel } from "@effect-raft/core/testing/RegisterModel"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as Clients from "./maelstrom/Clients.ts"
import * as Network from "./maelstrom/Network.ts"
import * as NodeProcess from "./maelstrom/NodeProcess.ts"

const nodeIds = ["n1", "n2", "n3"] as const
const keys = ["x", "y", "z"] as const
const timing = ["--election-timeout", "400", "--heartbeat", "50", "--request-timeout", "400"]

const seed = process.env["MAELSTROM_SEED"] ?? String(Math.trunc(Math.random() * 2 ** 32))

/** Three nodes and their clients, which have begun. */
const begin = Effect.fnUntraced(function* (options: {
  readonly faults: Network.Faults
  readonly flags: ReadonlyArray<string>
}) {
  const network = yield* Network.make({ ...options, nodeIds, flags: [...timing, ...options.flags] })
  yield* Effect.forEach(nodeIds, network.boot, { concurrency: "unbounded" })
  const clients = yield* Clients.make({ network, keys, count: 8 })
  const running = yield* Effect.forkChild(clients.run)
  const finish = Effect.suspend(() => {
    clients.stop()
    return Effect.andThen(Fiber.join(running), clients.history)
  })
  return { network, clients, finish }
})

const until = (condition: () => boolean) =>
  Effect.sleep(5).pipe(Effect.repeat({ until: condition }), Effect.timeout(30_000))

/** What the checker says of every key. */
const judge = (history: Clients.History) =>
  Array.from(history, ([key, operations]) => {
    const verdict = Linearizability.check(RegisterModel, operations)
    return { verdict: verdict._tag, report: `key ${key}: ${Linearizability.render(RegisterModel, verdict)}` }
  })

const scenario = <E>(
  name: string,
  test: Effect.Effect<void, E, NodeServices.NodeServices | Scope.Scope>
): void =>
  it.live(name, () =>
    test.pipe(
      Random.withSeed(seed),
      Effect.scoped,
      Effect.tapCause(() => Console.error(`MAELSTROM_SEED=${seed}\n${NodeProcess.transcript.join("")}`)),
      Effect.provide(NodeServices.layer)
    )
  )

describe("three processes", () => {
  scenario(
    "have a linearizable history, though messages are lost, and the leader is killed and comes back",
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* fs.makeTempDirectoryScoped({ prefix: "effect-raft-test-" })
      const { network, clients, finish } = yield* begin({
        faults: { maxDelayMillis: 8, peerLoss: 0.03, clientLoss: 0.01 },
        flags: ["--directory", directory]
      })

      yield* until(() => clients.answered() >= 100)
      const killed = network.leader()!
      yield* network.kill(killed)
      const atKill = clients.answered()
      yield* until(() => clients.answered() >= atKill + 50 && network.leader() !== killed)
      const byKilled = clients.answered(killed)
      yield* network.boot(killed)
      yield* until(() => clients.answered(killed) >= byKilled + 15)

      for (const { report, verdict } of judge(yield* finish)) expect(verdict, report).toBe("Linearizable")
      expect(yield* network.end).toEqual([0, 0, 0])
      expect(network.strays).toEqual([])
    })
  )

  scenario(
    "have none, if they answer reads without asking anybody",
    Effect.gen(function* () {
      const { clients, finish } = yield* begin({
        faults: { maxDelayMillis: 8, peerLoss: 0, clientLoss: 0 },
        flags: ["--consistency", "stale"]
      })
      yield* until(() => clients.answered() >= 200)
      expect(judge(yield* finish).map(({ verdict }) => verdict)).toContain("NotLinearizable")
    })
  )
})
