/** `effect-raft up`: it shows who dies and how, brings back whom it should, and leaves nobody behind. */
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ClusterPlan from "../src/ClusterPlan.ts"
import * as Ports from "../src/Ports.ts"
import { scenario, start, temporaryDirectory } from "./Command.ts"
import type { Running } from "./Command.ts"
import * as Http from "./Http.ts"

const newCluster = Effect.fnUntraced(function* () {
  const directory = yield* temporaryDirectory
  const base = yield* Effect.orDie(Ports.freeBase((from) => ClusterPlan.portsFrom(from, 3)))
  return { directory, base, urlOf: (node: number) => `http://127.0.0.1:${base + 100 + node}` }
})

/** The pid of a node, once it leads or follows. */
const pidOf = (up: Running, node: string) =>
  Effect.map(up.says(new RegExp(`^${node} .*leader n\\d +pid (\\d+)`, "m")), (match) => Number(match[1]))

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const untilGone = (pids: ReadonlyArray<number>) =>
  Effect.sleep(20).pipe(Effect.repeat({ while: () => pids.some(isAlive) }), Effect.timeout(10_000))

const nodes = ["n1", "n2", "n3"]

describe("up", () => {
  scenario("shows a death, restarts the dead, stops all on Ctrl-C, and goes on with the data", () =>
    Effect.gen(function* () {
      const { directory, base, urlOf } = yield* newCluster()
      const flags = ["up", "--directory", directory, "--restart"]
      const up = yield* start([...flags, "--base-port", String(base)])
      const pids = yield* Effect.forEach(nodes, (node) => pidOf(up, node))
      expect(up.stdout()).toContain(urlOf(2))
      expect((yield* Http.request("PUT", `${urlOf(1)}/kv/kept`, { body: "by all" })).status).toBe(200)

      process.kill(pids[1]!, "SIGKILL")
      yield* up.says(/^n2 .* dead, killed by SIGKILL$/m)
      const [, reborn] = yield* up.says(/n2 .* dead, [^]*^n2 .*leader n\d +pid (\d+)/m)
      expect(Number(reborn)).not.toBe(pids[1])

      up.kill("SIGINT")
      expect(yield* up.ended).toBe(0)
      expect(up.stdout()).toMatch(/stopping\nall nodes have stopped\n$/)
      expect([...pids, Number(reborn)].filter(isAlive)).toEqual([])

      const again = yield* start(flags)
      yield* Effect.forEach(nodes, (node) => pidOf(again, node))
      expect((yield* Http.request("GET", `${urlOf(3)}/kv/kept`)).text).toBe("by all")
    })
  )

  scenario("takes its nodes with it when it is killed itself", () =>
    Effect.gen(function* () {
      const { directory, base } = yield* newCluster()
      const up = yield* start(["up", "--directory", directory, "--base-port", String(base)])
      const pids = yield* Effect.forEach(nodes, (node) => pidOf(up, node))
      up.kill("SIGKILL")
      expect(yield* up.ended).toBe("SIGKILL")
      yield* untilGone(pids)
    })
  )

  scenario("ends when no node is left", () =>
    Effect.gen(function* () {
      const { directory, base } = yield* newCluster()
      const up = yield* start(["up", "--directory", directory, "--base-port", String(base), "--nodes", "1"])
      process.kill(yield* pidOf(up, "n1"), "SIGKILL")
      expect(yield* up.ended).toBe(1)
      expect(up.stdout()).toMatch(/^n1 .* dead, killed by SIGKILL$/m)
      expect(up.stderr()).toContain("no node is left")
    })
  )
})
