/** What a user or a stranger may do wrong: each is answered by a message that names it, and harms nothing. */
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type * as Scope from "effect/Scope"
import * as NodeCrypto from "node:crypto"
import * as NodeFs from "node:fs"
import * as Net from "node:net"
import * as ClusterPlan from "../src/ClusterPlan.ts"
import * as Ports from "../src/Ports.ts"
import * as Command from "./Command.ts"
import { run, scenario, temporaryDirectory } from "./Command.ts"
import type { Ended } from "./Command.ts"
import * as Http from "./Http.ts"
import * as Serving from "./Serving.ts"

/** One line on standard error, which says what is wrong, and no stack trace. */
const expectPlain = (ended: Ended, code: number, message: RegExp) => {
  const said = ended.stderr.split("\n").filter((line) => line.startsWith("effect-raft: "))
  expect(said, ended.stderr).toHaveLength(1)
  expect(said[0]).toMatch(message)
  expect(ended.stderr).not.toMatch(/^\s+at /m)
  expect(ended.code).toBe(code)
}

/** A cluster of one, ready to be abused. */
const alone = Effect.map(Serving.places(1), ([place]) => place!)

/** Something that holds a port. */
const occupy = (port: number): Effect.Effect<Net.Server, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Net.Server>((resume) => {
      const server = Net.createServer().listen(port, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
  )

const put = (place: Serving.Place, key: string, body: Uint8Array<ArrayBuffer> | string) =>
  Http.request("PUT", `${place.url}/kv/${key}`, { body })

const textOf = (place: Serving.Place, key: string) =>
  Effect.map(Http.request("GET", `${place.url}/kv/${key}`), ({ text }) => text)

/** Runs a node, writes a key, and stops the node. */
const leaveData = Effect.fnUntraced(function* (place: Serving.Place) {
  const running = yield* Serving.serve(place)
  for (const key of ["first", "kept", "last"]) {
    const { status, text } = yield* put(place, key, `value of ${key}`)
    expect(status, text).toBe(200)
  }
  running.kill("SIGTERM")
  expect(yield* running.ended).toBe(0)
}, Effect.scoped)

/** The log files of a directory and their contents, to see that nothing has changed. */
const fingerprint = (directory: string): ReadonlyArray<string> =>
  NodeFs.readdirSync(directory)
    .filter((name) => name.endsWith(".wal"))
    .toSorted()
    .map((name) => `${name} ${NodeCrypto.hash("sha256", NodeFs.readFileSync(`${directory}/${name}`))}`)

describe("a port in use", () => {
  scenario("stops serve, which names the address and the flag", () =>
    Effect.gen(function* () {
      const place = yield* alone
      yield* occupy(place.httpPort).pipe(
        Effect.andThen(run(["serve", ...place.flags])),
        Effect.map((ended) =>
          expectPlain(ended, 1, new RegExp(`127.0.0.1:${place.httpPort} \\(--http\\): the port is in use`))
        ),
        Effect.scoped
      )
      yield* occupy(place.peerPort)
      expectPlain(
        yield* run(["serve", ...place.flags]),
        1,
        new RegExp(`peers at 127.0.0.1:${place.peerPort}`)
      )
    })
  )

  scenario("for native clients stops serve too, which says that it is for them", () =>
    Effect.gen(function* () {
      const place = yield* alone
      yield* occupy(place.clientsPort)
      const address = `127.0.0.1:${place.clientsPort}`
      expectPlain(
        yield* run(["serve", ...place.flags, "--clients", address]),
        1,
        new RegExp(`Cannot listen for clients at ${address}: the address is in use`)
      )
    })
  )

  scenario("stops up before it starts anything", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const base = yield* Effect.orDie(Ports.freeBase((from) => ClusterPlan.portsFrom(from, 3)))
      yield* occupy(base + 103)
      const ended = yield* run(["up", "--directory", directory, "--base-port", String(base)])
      expectPlain(ended, 1, new RegExp(`Port ${base + 103} \\(HTTP, node n3\\) is in use`))
      expect(ended.stdout).toBe("")
    })
  )
})

describe("the address that a node's HTTP clients are told", () => {
  scenario("is refused if it is none", () =>
    Effect.gen(function* () {
      const place = yield* alone
      const ended = yield* run(["serve", ...place.flags, "--http-url", "nonsense"])
      expectPlain(ended, 2, /--http-url: "nonsense".*an HTTP address, such as/)
    })
  )

  scenario("is warned of if no browser dials its port", () =>
    Effect.gen(function* () {
      const place = yield* alone
      const running = yield* Command.start(["serve", ...place.flags, "--http-url", "http://127.0.0.1:6000"])
      yield* running.says(/ready: http:\/\/127.0.0.1:6000/)
      yield* Effect.repeat(Effect.sleep(10), {
        until: () => running.stderr().includes("but browsers and fetch do not dial it")
      })
    })
  )
})

describe("a directory", () => {
  scenario("in use refuses a second process and leaves the first alone", () =>
    Effect.gen(function* () {
      const place = yield* alone
      const [other] = yield* Serving.places(1)
      yield* Serving.serve(place)
      yield* put(place, "kept", "yes")
      const second = yield* run(
        ["serve", ...other!.flags, "--directory", place.directory].filter(isNot(other!.directory))
      )
      expectPlain(second, 1, new RegExp(`${place.directory} is in use by .*n1`))
      expect(yield* textOf(place, "kept")).toBe("yes")
    })
  )

  scenario("of another cluster or node is refused and not touched", () =>
    Effect.gen(function* () {
      const place = yield* alone
      yield* leaveData(place)
      const before = fingerprint(place.directory)
      const otherCluster = yield* run(["serve", ...place.flags, "--cluster-id", "other"])
      expectPlain(
        otherCluster,
        1,
        /holds the data of node n1 of cluster effect-raft.*not of node n1 of cluster other/
      )
      const otherNode = yield* run(["serve", ...place.flags.map((flag) => flag.replace(/^n1/, "n7"))])
      expectPlain(otherNode, 1, /holds the data of node n1.*not of node n7/)
      expect(fingerprint(place.directory)).toEqual(before)
      yield* Serving.serve(place)
      expect(yield* textOf(place, "kept")).toBe("value of kept")
    })
  )

  scenario("whose log was cut off is refused by file and byte, and not touched", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const place = yield* alone
      yield* leaveData(place)
      const log = NodeFs.readdirSync(place.directory).find((name) => name.endsWith(".wal"))
      const file = `${place.directory}/${log}`
      const bytes = yield* fs.readFile(file)
      yield* fs.truncate(file, bytes.lastIndexOf("value of last".charCodeAt(0)))
      const before = fingerprint(place.directory)
      const ended = yield* run(["serve", ...place.flags])
      expectPlain(ended, 1, new RegExp(`${place.directory}.* is damaged at byte \\d+: .*nothing was changed`))
      expect(fingerprint(place.directory)).toEqual(before)
    })
  )
})

describe.skipIf(process.platform !== "linux")("a directory that no file system takes", () => {
  const nowhere = "/proc/effect-raft"

  scenario("is refused by serve", () =>
    Effect.gen(function* () {
      const place = yield* alone
      const flags = place.flags.map((flag) => (flag === place.directory ? nowhere : flag))
      expectPlain(yield* run(["serve", ...flags]), 1, /directory failed on \/proc.*takes no new directory/)
    })
  )

  for (const command of ["up", "demo"])
    scenario(`is refused by ${command}, before a node is started`, () =>
      Effect.gen(function* () {
        const base = yield* Effect.orDie(Ports.freeBase((from) => ClusterPlan.portsFrom(from, 3)))
        const ended = yield* run([command, "--directory", nowhere, "--base-port", String(base)])
        expectPlain(ended, 1, /\/proc\/effect-raft cannot be used for a cluster: .*takes no new directory/)
      })
    )
})

const isNot = (unwanted: string) => (flag: string, at: number, all: ReadonlyArray<string>) =>
  flag !== unwanted && all[at + 1] !== unwanted

describe("a running node", () => {
  scenario("refuses a value over the limit with 413 and goes on", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const place = yield* alone
      yield* Serving.serve(place)
      const big = new Uint8Array(1024 * 1024)
      const answer = yield* put(place, "big", big)
      expect(answer.status).toBe(413)
      expect(answer.text).toContain("ValueTooLarge")
      const file = `${yield* temporaryDirectory}/big`
      yield* fs.writeFile(file, big)
      const ended = yield* run(["put", "big", "--file", file, "--endpoint", place.url])
      expectPlain(ended, 2, /The value takes 1048576 bytes; at most \d+ are allowed/)
      expect((yield* put(place, "small", "fits")).status).toBe(200)
    })
  )

  scenario("survives random bytes at both ports, and stops while connections hang", () =>
    Effect.gen(function* () {
      const place = yield* alone
      const running = yield* Serving.serve(place)
      for (const port of [place.httpPort, place.peerPort]) {
        for (let times = 0; times < 5; times++) yield* sendGarbage(port)
        yield* hang(port, "PUT /kv/x HTTP/1.1\r\n")
        yield* hang(port, "PUT /kv/x HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nhalf")
      }
      expect((yield* put(place, "after", "the noise")).status).toBe(200)
      expect(yield* textOf(place, "after")).toBe("the noise")
      expect(running.stderr()).not.toMatch(/^\s+at /m)
      running.kill("SIGTERM")
      expect(yield* running.ended).toBe(0)
    })
  )
})

/** Connects, writes random bytes and waits until the other end closes, or closes itself. */
const sendGarbage = (port: number) =>
  Effect.callback<void>((resume) => {
    const socket = Net.connect(port, "127.0.0.1", () => socket.end(NodeCrypto.randomBytes(4_096)))
    socket.on("error", () => undefined)
    socket.on("close", () => resume(Effect.void))
    socket.resume()
    return Effect.sync(() => socket.destroy())
  })

/** A connection that says this much and never goes on. */
const hang = (port: number, beginning: string) =>
  Effect.acquireRelease(
    Effect.callback<Net.Socket>((resume) => {
      const socket = Net.connect(port, "127.0.0.1", () => socket.write(beginning))
      socket.on("error", () => undefined)
      socket.once("connect", () => resume(Effect.succeed(socket)))
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )
