/** `backup` of a cluster under load, and `restore` into another: nothing that was acknowledged before is missing. */
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as NodeFs from "node:fs"
import * as NodePath from "node:path"
import { scenario, temporaryDirectory } from "./Command.ts"
import type { Ended, Running } from "./Command.ts"
import * as Http from "./Http.ts"
import * as InProcess from "./InProcess.ts"
import * as Serving from "./Serving.ts"

const put = (url: string, key: string, value: string) =>
  Effect.flatMap(Http.request("PUT", `${url}/kv/${key}`, { body: value }), ({ status, text }) =>
    status === 200
      ? Effect.succeed((JSON.parse(text) as { readonly revision: number }).revision)
      : Effect.fail(new Error(`PUT ${key} answered ${status}: ${text}`))
  )

/** Keys and their revisions, as they were acknowledged. */
type Acknowledged = Map<string, number>

const writeForEver = Effect.fnUntraced(function* (places: ReadonlyArray<Serving.Place>, into: Acknowledged) {
  for (let count = 0; ; count++) {
    const key = `loop-${count}`
    into.set(key, yield* put(places[count % places.length]!.url, key, `value of ${key}`))
  }
})

const until = (condition: () => boolean) =>
  Effect.sleep(10).pipe(Effect.repeat({ while: () => !condition() }), Effect.timeout(20_000))

const endAll = (nodes: ReadonlyArray<Running>) =>
  Effect.forEach(nodes, (node) => {
    node.kill("SIGKILL")
    return node.ended
  })

const expectAll = Effect.fnUntraced(function* (url: string, acknowledged: Acknowledged) {
  for (const [key, revision] of acknowledged) {
    const answer = yield* Http.request("GET", `${url}/kv/${key}`)
    expect(answer.text, key).toBe(`value of ${key}`)
    expect(answer.etag, key).toBe(`"${revision}"`)
  }
})

const expectRefused = ({ code, stderr, stdout }: Ended, expectedCode: number, message: RegExp) => {
  expect(stderr).toMatch(message)
  expect(stderr).not.toMatch(/^\s+at /m)
  expect(code, stdout).toBe(expectedCode)
}

/** Runs a command that needs no process of its own. */
const run = (args: ReadonlyArray<string>): Effect.Effect<Ended> =>
  Effect.map(InProcess.run(args), ({ code, complained, said }) => ({
    code,
    stdout: said.join("\n"),
    stderr: complained.join("\n")
  }))

/** A backup of one node with one key, and where it lies. */
const smallBackup = Effect.gen(function* () {
  const [place] = yield* Serving.places(1)
  const file = NodePath.join(yield* temporaryDirectory, "small.backup")
  const node = yield* Serving.serve(place!)
  yield* put(place!.url, "key", "value of key")
  const ended = yield* run(["backup", file, "-e", place!.url])
  expect(ended.code, ended.stderr).toBe(0)
  return { place: place!, node, file }
})

describe("a backup", () => {
  scenario("of a cluster under load becomes another cluster, with every value and revision", () =>
    Effect.gen(function* () {
      const places = yield* Serving.places(3)
      const nodes = yield* Effect.forEach(places, Serving.serve, { concurrency: 3 })
      const written: Acknowledged = new Map()
      const writer = yield* Effect.forkChild(writeForEver(places, written))
      yield* until(() => written.size >= 50)
      const before = new Map(written)
      const file = NodePath.join(yield* temporaryDirectory, "all.backup")
      const backup = yield* run(["backup", file, "-e", places.map(({ url }) => url).join(",")])
      expect(backup.code, backup.stderr).toBe(0)
      expect(backup.stdout).toMatch(/^as of: index \d+ of term \d+, taken by n1 on /m)
      yield* until(() => written.size > before.size)
      yield* Fiber.interrupt(writer)

      // All three machines burn down.
      yield* endAll(nodes)
      for (const { directory } of places) NodeFs.rmSync(directory, { recursive: true })

      const others = yield* Serving.places(3)
      const members = others.flatMap(({ id, peerPort }) => ["--member", `${id}=127.0.0.1:${peerPort}`])
      const restored = yield* Effect.forEach(others, ({ directory, id }) =>
        run(["restore", file, "--directory", directory, "--node-id", id, ...members])
      )
      for (const { code, stderr } of restored) expect(code, stderr).toBe(0)
      const clusterId = /^owner: node n1 of cluster (\S+)$/m.exec(restored[0]!.stdout)?.[1]
      expect(clusterId).toMatch(/^effect-raft-restored-[0-9a-f]{8}$/)
      yield* Effect.forEach(others, (place) => Serving.serveWith(place, ["--cluster-id", clusterId!]), {
        concurrency: 3
      })
      yield* Effect.forEach(others, ({ url }) => expectAll(url, before), { concurrency: 3 })

      expect(yield* put(others[0]!.url, "after", "all that")).toBeGreaterThan(Math.max(...before.values()))
    })
  )

  scenario("is told by inspect, and so is what is wrong with it", () =>
    Effect.gen(function* () {
      const { file } = yield* smallBackup
      const text = yield* run(["inspect", file])
      expect(text.stdout).toMatch(/every byte as written/)
      const json = JSON.parse((yield* run(["inspect", file, "--json"])).stdout) as {
        readonly header: { readonly clusterId: string }
        readonly digest: string
      }
      expect(json.header.clusterId).toBe("effect-raft")
      expect(text.stdout).toContain(`sha-256: ${json.digest}`)

      const bytes = NodeFs.readFileSync(file)
      NodeFs.writeFileSync(file, bytes.subarray(0, -7))
      expectRefused(yield* run(["inspect", file]), 1, /it ends at byte \d+, before its end/)
      bytes[bytes.indexOf("value of key")]! ^= 1
      NodeFs.writeFileSync(file, bytes)
      expectRefused(yield* run(["inspect", file]), 1, /it is damaged in the part from byte \d+ on/)
    })
  )

  scenario("never takes the place of a file, and leaves nothing where it fails", () =>
    Effect.gen(function* () {
      const { file, node, place } = yield* smallBackup
      const before = NodeFs.readFileSync(file)
      expectRefused(yield* run(["backup", file, "-e", place.url]), 1, /is there already; nothing was changed/)
      expect(NodeFs.readFileSync(file)).toEqual(before)
      const other = `${file}.other`
      NodeFs.writeFileSync(`${other}.part`, "")
      expectRefused(yield* run(["backup", other, "-e", place.url]), 1, /other\.part is there: another backup/)
      NodeFs.rmSync(`${other}.part`)
      yield* endAll([node])
      const nobody = yield* run(["backup", other, "-e", place.url, "--timeout", "300"])
      expectRefused(nobody, 3, new RegExp(`No node can begin a backup: ${place.url}: .*ECONNREFUSED`))
      expect(NodeFs.readdirSync(NodePath.dirname(file))).toEqual(["small.backup"])
      const nowhere = yield* run(["backup", "/nowhere/at/all", "-e", place.url, "--timeout", "300"])
      expect(nowhere.code).toBe(3)
    })
  )
})

describe("a restore", () => {
  const restoreArgs = (file: string, place: Serving.Place) => [
    ...["restore", file, "--directory", place.directory, "--node-id", place.id],
    ...["--member", `${place.id}=127.0.0.1:${place.peerPort}`]
  ]

  scenario("refuses a directory in use, a damaged file, and a file that is no backup; nothing is made", () =>
    Effect.gen(function* () {
      const { file, place } = yield* smallBackup
      expectRefused(yield* run(restoreArgs(file, place)), 1, /is not empty: it holds .*nothing was changed/)
      const [other] = yield* Serving.places(1)
      const bytes = NodeFs.readFileSync(file)
      NodeFs.writeFileSync(file, bytes.subarray(0, -1))
      expectRefused(yield* run(restoreArgs(file, other!)), 1, /it is only a part of a backup/)
      NodeFs.writeFileSync(file, "a letter")
      expectRefused(yield* run(restoreArgs(file, other!)), 1, /this is no backup of effect-raft/)
      expectRefused(yield* run(restoreArgs(`${file}.none`, other!)), 1, /cannot be read/)
      expect(NodeFs.existsSync(other!.directory)).toBe(false)
    })
  )

  scenario("goes by the names it is given, and a node of the old cluster's name is refused", () =>
    Effect.gen(function* () {
      const { file } = yield* smallBackup
      const [place] = yield* Serving.places(1)
      const wrong = [...restoreArgs(file, place!), "--node-id", "n9"].toSpliced(4, 2)
      expectRefused(yield* run(wrong), 2, /--member does not list this node: --node-id is n9/)
      const named = yield* run([...restoreArgs(file, place!), "--cluster-id", "second"])
      expect(named.code, named.stderr).toBe(0)
      expectRefused(
        yield* run(["serve", ...place!.flags]),
        1,
        /holds the data of node n1 of cluster second, group default, not of node n1 of cluster effect-raft/
      )
      yield* Serving.serveWith(place!, ["--cluster-id", "second"])
      yield* expectAll(place!.url, new Map([["key", 2]]))
    })
  )
})
