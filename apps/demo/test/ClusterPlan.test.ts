/** The plan of a local cluster: made once, kept in the directory, contradicted by nobody. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Net from "node:net"
import * as ClusterPlan from "../src/ClusterPlan.ts"
import * as Ports from "../src/Ports.ts"
import { temporaryDirectory } from "./Command.ts"

const from20000 = () => Effect.succeed(20_000)

layer(NodeServices.layer, { excludeTestServices: true })("the plan of a directory", (it) => {
  it.effect("is three nodes with ports from the base, if nothing else is said", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const plan = yield* ClusterPlan.resolve({ directory }, from20000)
      expect(plan.nodes.map(({ id, peer, url }) => [id, peer.port, url])).toEqual([
        ["n1", 20_001, "http://127.0.0.1:20101"],
        ["n2", 20_002, "http://127.0.0.1:20102"],
        ["n3", 20_003, "http://127.0.0.1:20103"]
      ])
      expect(ClusterPlan.portsFrom(20_000, 3)).toEqual(
        plan.nodes.flatMap(({ peer, http, clients }) => [peer.port, http.port, clients.port])
      )
    })
  )

  it.effect("is the one it was started with, the next time", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const first = yield* ClusterPlan.resolve({ directory, nodes: 5, clusterId: "mine" }, from20000)
      yield* ClusterPlan.keep(first)
      const second = yield* ClusterPlan.resolve({ directory }, () => Effect.succeed(30_000))
      expect(second).toEqual(first)
    })
  )

  it.effect.each([
    ["--nodes", { nodes: 5 }],
    ["--base-port", { basePort: 21_000 }],
    ["--cluster-id", { clusterId: "other" }]
  ] as const)("refuses %s that contradicts it", ([flag, wish]) =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      yield* ClusterPlan.keep(yield* ClusterPlan.resolve({ directory }, from20000))
      const error = yield* Effect.flip(ClusterPlan.resolve({ directory, ...wish }, from20000))
      expect(error.message).toContain(
        `${flag} ${Object.values(wish)[0]} contradicts ${directory}/cluster.json`
      )
      expect(error.exitCode).toBe(2)
    })
  )

  it.effect("of new nodes has HTTP where browsers dial it", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      // 6665 to 6669 are blocked.
      const error = yield* Effect.flip(ClusterPlan.resolve({ directory, basePort: 6_562 }, from20000))
      expect(error.message).toContain("--base-port 6562 would put HTTP of node n3 at port 6665")
      expect(error.message).toContain("--base-port 6569")
      expect(error.exitCode).toBe(2)
      const fewer = yield* ClusterPlan.resolve({ directory, basePort: 6_562, nodes: 2 }, from20000)
      yield* ClusterPlan.keep(fewer)
      expect(yield* ClusterPlan.resolve({ directory, basePort: 6_562 }, from20000)).toEqual(fewer)
    })
  )

  it.effect("that cannot be read is named and left alone", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* temporaryDirectory
      yield* fs.writeFileString(`${directory}/cluster.json`, "{")
      const error = yield* Effect.flip(ClusterPlan.resolve({ directory }, from20000))
      expect(error.message).toContain(`${directory}/cluster.json is not the plan of a cluster`)
      expect(yield* fs.readFileString(`${directory}/cluster.json`)).toBe("{")
    })
  )

  it.effect("with a port that is in use names the port and the node, and is not kept", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* temporaryDirectory
      const base = yield* Ports.freeBase((from) => ClusterPlan.portsFrom(from, 3))
      const plan = yield* ClusterPlan.resolve({ directory, basePort: base }, from20000)
      yield* ClusterPlan.requireFreePorts(plan)
      yield* listenOn(base + 102)
      const error = yield* Effect.flip(ClusterPlan.claim({ directory, basePort: base }, from20000))
      expect(error.message).toContain(`Port ${base + 102} (HTTP, node n2) is in use`)
      expect(yield* fs.readDirectory(directory)).toEqual([])
    })
  )
})

const listenOn = (port: number) =>
  Effect.acquireRelease(
    Effect.callback<Net.Server>((resume) => {
      const server = Net.createServer().listen(port, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
  )
