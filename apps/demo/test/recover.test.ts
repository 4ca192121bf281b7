/** A cluster that has lost its majority for good, and goes on with one survivor. */
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { scenario } from "./Command.ts"
import * as InProcess from "./InProcess.ts"
import * as Serving from "./Serving.ts"

describe("effect-raft recover", () => {
  scenario("makes the survivor a cluster of one, which has everything that its log held", () =>
    Effect.gen(function* () {
      const places = yield* Serving.places(3)
      const [survivor] = places
      const nodes = yield* Effect.forEach(places, Serving.serve)
      const cli = (...args: ReadonlyArray<string>) => InProcess.run([...args, "--endpoint", survivor!.url])
      expect((yield* cli("put", "k", "v")).code).toBe(0)
      expect((yield* cli("get", "k")).bytes.toString()).toBe("v")

      const recover = (...args: ReadonlyArray<string>) =>
        InProcess.run(["recover", "--directory", survivor!.directory, ...args])
      const address = ["--address", `127.0.0.1:${survivor!.peerPort}`]
      const busy = yield* recover("--force", ...address)
      expect(busy.code).toBe(1)
      expect(busy.complained.join()).toMatch(/is in use by .*stop that node first/)

      for (const node of nodes) node.kill("SIGKILL")
      yield* Effect.forEach(nodes, ({ ended }) => ended)
      expect((yield* recover(...address)).code).toBe(2)
      const told = yield* recover("--dry-run", ...address)
      expect(told.said.join("\n")).toMatch(
        /^dry run: nothing was written\n.*node: +n1 of cluster effect-raft/s
      )
      const done = yield* recover("--force", ...address)
      expect(done.code).toBe(0)
      expect(done.complained.join("\n")).toMatch(/WARNING: writes that the lost majority had acknowledged/)

      const alone = survivor!.flags.slice(0, survivor!.flags.indexOf("--member") + 2)
      yield* Serving.serve({ ...survivor!, flags: alone })
      expect((yield* cli("get", "k")).bytes.toString()).toBe("v")
      expect((yield* cli("put", "k", "v2")).code).toBe(0)
      const members = (yield* cli("member", "list")).said.join("\n").split("\n").slice(1)
      expect(members).toHaveLength(1)
      expect(members[0]).toMatch(/^n1 +voter .* leader$/)
    })
  )
})
