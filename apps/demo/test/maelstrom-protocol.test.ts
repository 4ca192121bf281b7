/** One node of Maelstrom, line by line: what it answers, and what it does not fall over. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { maxLineLength } from "../src/maelstrom/MaelstromNode.ts"
import * as InMemory from "./maelstrom/InMemory.ts"

const started = Effect.gen(function* () {
  const node = yield* InMemory.start(InMemory.hasty)
  expect(yield* node.ask(InMemory.initAlone)).toMatchObject({ type: "init_ok" })
  return node
})

const read = (key: unknown) => ({ type: "read", key })
const write = (key: unknown, value: unknown) => ({ type: "write", key, value })
const cas = (key: unknown, from: unknown, to: unknown) => ({ type: "cas", key, from, to })
const error = (code: number) => ({ type: "error", code })

describe("lin-kv", () => {
  it.live("reads what was written, and nothing where nothing was", () =>
    Effect.gen(function* () {
      const { ask } = yield* started
      expect(yield* ask(read(1))).toMatchObject(error(20))
      expect(yield* ask(write(1, 4))).toMatchObject({ type: "write_ok" })
      expect(yield* ask(read(1))).toMatchObject({ type: "read_ok", value: 4 })
      expect(yield* ask(read("1"))).toMatchObject(error(20))
    })
  )

  it.live("compares values and not revisions", () =>
    Effect.gen(function* () {
      const { ask } = yield* started
      expect(yield* ask(cas("k", 1, 2))).toMatchObject(error(20))
      yield* ask(write("k", 1))
      yield* ask(write("k", 1))
      expect(yield* ask(cas("k", 3, 2))).toMatchObject(error(22))
      expect(yield* ask(cas("k", "1", 2))).toMatchObject(error(22))
      expect(yield* ask(cas("k", 1, 2))).toMatchObject({ type: "cas_ok" })
      expect(yield* ask(read("k"))).toMatchObject({ type: "read_ok", value: 2 })
    })
  )

  it.live("makes a key that is not there if it is told to", () =>
    Effect.gen(function* () {
      const { ask } = yield* started
      const create = { ...cas("k", 1, 2), create_if_not_exists: true }
      expect(yield* ask(create)).toMatchObject({ type: "cas_ok" })
      expect(yield* ask(create)).toMatchObject(error(22))
      expect(yield* ask(read("k"))).toMatchObject({ type: "read_ok", value: 2 })
    })
  )

  it.live("takes any JSON as key and value, and the order of members does not matter", () =>
    Effect.gen(function* () {
      const { ask } = yield* started
      const value: unknown = JSON.parse('{"b":[1,null,{"y":"\\ud800","x":"é"}],"a":{"__proto__":1}}')
      for (const key of [null, false, [1, 2], { b: 1, a: 2 }, "", 1.5]) {
        yield* ask(write(key, value))
        expect(yield* ask(read(key))).toMatchObject({ type: "read_ok", value })
      }
      yield* ask(write("k", { b: 1, a: 2 }))
      expect(yield* ask(cas("k", { a: 2, b: 1 }, null))).toMatchObject({ type: "cas_ok" })
      expect(yield* ask(read("k"))).toMatchObject({ type: "read_ok", value: null })
      expect(yield* ask(read({ a: 2, b: 1 }))).toMatchObject({ type: "read_ok", value })
    })
  )
})

describe("errors that promise that nothing happened", () => {
  it.live("a request before init", () =>
    Effect.gen(function* () {
      const { ask } = yield* InMemory.start(InMemory.hasty)
      expect(yield* ask(write(1, 2))).toMatchObject(error(11))
    })
  )

  it.live("a second init, unless it says the same", () =>
    Effect.gen(function* () {
      const { ask } = yield* started
      expect(yield* ask(InMemory.initAlone)).toMatchObject({ type: "init_ok" })
      expect(yield* ask({ ...InMemory.initAlone, node_id: "n2" })).toMatchObject(error(14))
    })
  )

  it.live("no leader in sight", () =>
    Effect.gen(function* () {
      const { ask } = yield* InMemory.start([...InMemory.hasty, "--request-timeout", "50"])
      yield* ask({ type: "init", node_id: "n1", node_ids: ["n1", "n2", "n3"] })
      expect(yield* ask(write(1, 2))).toMatchObject(error(11))
      expect(yield* ask(read(1))).toMatchObject(error(11))
    })
  )

  it.live.each([
    ["an unknown type", { type: "frobnicate" }, 10],
    ["no type", {}, 10],
    ["a read without a key", { type: "read" }, 12],
    ["a write without a value", { type: "write", key: 1 }, 12],
    ["a condition that is none", { ...cas(1, 2, 3), create_if_not_exists: "maybe" }, 12],
    ["an init without names", { type: "init" }, 12],
    ["a value larger than a command may be", write(1, "x".repeat(2 * 1024 * 1024)), 12]
  ] as const)("%s", ([, body, code]) =>
    Effect.gen(function* () {
      const { ask } = yield* started
      expect(yield* ask(body)).toMatchObject(error(code))
    })
  )

  it.live("a value nested too deeply", () =>
    Effect.gen(function* () {
      const node = yield* started
      const deep = `${"[".repeat(200_000)}${"]".repeat(200_000)}`
      node.write(`{"src":"c1","dest":"n1","body":{"type":"write","msg_id":99,"key":1,"value":${deep}}}\n`)
      yield* node.ask(read(1))
      expect(node.lines.find((line) => line.includes(`"in_reply_to":99`))).toContain(`"code":12`)
    })
  )
})

describe("errors that promise nothing", () => {
  it.live("a write that was passed on to a leader who does not answer", () =>
    Effect.gen(function* () {
      // So patient with its leader that the test cannot be too slow for it.
      const node = yield* InMemory.start(["--election-timeout", "60000", "--request-timeout", "100"])
      yield* node.ask({ type: "init", node_id: "n1", node_ids: ["n1", "n2", "n3"] })
      const heartbeat =
        '{"_tag":"AppendEntries","term":9,"prevLogIndex":0,"prevLogTerm":0,"blocks":[],"leaderCommit":0,"round":1}'
      node.write(`{"src":"n2","dest":"n1","body":{"type":"raft","message":${heartbeat}}}\n`)
      expect(yield* node.ask(write(1, 2))).toMatchObject(error(0))
      const passedOn = node.lines.filter((line) => line.includes("ForwardProposals"))
      expect(passedOn).toEqual([expect.stringContaining('"src":"n1","dest":"n2"')])
    })
  )
})

describe("what is no message", () => {
  it.live.each([
    ["an empty line", ""],
    ["a word", "hello"],
    ["half an object", '{"src":"c1"'],
    ["a number", "7"],
    ["a message without a body", '{"src":"c1","dest":"n1"}'],
    [
      "a request that cannot be answered",
      '{"src":"c1","dest":"n1","body":{"type":"write","key":1,"value":2}}'
    ],
    [
      "somebody else's message",
      '{"src":"c1","dest":"n2","body":{"type":"write","msg_id":9,"key":1,"value":2}}'
    ],
    ["a stranger's vote", '{"src":"n9","dest":"n1","body":{"type":"raft","message":{"_tag":"RequestVote"}}}'],
    ["a line that is too long", `{"src":"${"x".repeat(maxLineLength)}"}`]
  ] as const)("%s is passed over, in silence on standard output", ([, line]) =>
    Effect.gen(function* () {
      const node = yield* started
      const before = node.lines.length
      node.write(`${line}\n`)
      expect(yield* node.ask(read(1))).toMatchObject(error(20))
      expect(node.lines.length).toBe(before + 1)
    })
  )

  it.live("a line may come in pieces, and several in one", () =>
    Effect.gen(function* () {
      const node = yield* started
      const line = (id: number) =>
        `{"src":"c1","dest":"n1","body":{"type":"write","msg_id":${id},"key":"é","value":${id}}}`
      const bytes = `${line(70)}\n${line(71)}\r\n\n${line(72)}\n`
      for (const piece of bytes.match(/[^]{1,7}/g) ?? []) node.write(piece)
      const last = yield* node.ask(read("é"))
      expect([20, undefined]).toContain(last["code"])
      expect(yield* node.end).toBe(0)
      for (const id of [70, 71, 72]) {
        expect(node.lines.filter((said) => said.includes(`"in_reply_to":${id}`))).toHaveLength(1)
      }
    })
  )
})

describe("the end", () => {
  it.live("of standard input stops the node, after the last answers", () =>
    Effect.gen(function* () {
      const node = yield* InMemory.start(InMemory.hasty)
      node.write(
        `{"src":"c0","dest":"n1","body":{"type":"init","msg_id":1,"node_id":"n1","node_ids":["n1"]}}\n`
      )
      node.write(`{"src":"c1","dest":"n1","body":{"type":"write","msg_id":2,"key":1,"value":2}}`)
      expect(yield* node.end).toBe(0)
      expect(node.lines).toEqual([
        expect.stringContaining(`"type":"init_ok"`),
        expect.stringContaining(`"type":"write_ok"`)
      ])
    })
  )

  it.live("comes at once where nothing was said", () =>
    Effect.gen(function* () {
      const node = yield* InMemory.start(InMemory.hasty)
      expect(yield* node.end).toBe(0)
      expect(node.lines).toEqual([])
    })
  )

  it.live("is exit code 1 where the directory is not a store, and init is refused", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* fs.makeTempDirectoryScoped({ prefix: "effect-raft-test-" })
      yield* fs.makeDirectory(`${directory}/n1`)
      yield* fs.writeFileString(`${directory}/n1/letter.txt`, "Dear")
      const node = yield* InMemory.start([...InMemory.hasty, "--directory", directory])
      expect(yield* node.ask(InMemory.initAlone)).toMatchObject(error(14))
      expect(yield* node.ended).toBe(1)
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live("and a new beginning on the same directory keep what was written", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* fs.makeTempDirectoryScoped({ prefix: "effect-raft-test-" })
      const flags = [...InMemory.hasty, "--directory", directory]
      const first = yield* InMemory.start(flags)
      yield* first.ask(InMemory.initAlone)
      yield* first.ask(write(1, 2))
      expect(yield* first.end).toBe(0)
      const second = yield* InMemory.start(flags)
      yield* second.ask(InMemory.initAlone)
      expect(yield* second.ask(read(1))).toMatchObject({ type: "read_ok", value: 2 })
    }).pipe(Effect.provide(NodeServices.layer))
  )
})
