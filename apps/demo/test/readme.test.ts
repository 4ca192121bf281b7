/**
 * The programs in the READMEs are the files that are compiled and run here, and do what is said there.
 */
import { MemoryStorage, MemoryTransport } from "@effect-raft/core"
import { assert, it } from "@effect/vitest"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { execFileSync } from "node:child_process"
import { globSync, readFileSync } from "node:fs"
import { resolve } from "node:path"
import { Counter } from "../examples/Counter.ts"
import * as readmeKv from "../examples/readme-kv.ts"
import { node } from "../examples/readme-node.ts"
import * as Ports from "../src/Ports.ts"
import { temporaryDirectory } from "./Command.ts"

const root = resolve(import.meta.dirname, "../../..")
const textOf = (file: string) => readFileSync(resolve(root, file), "utf8")

const readmes = globSync(["README.md", "packages/*/README.md"], { cwd: root }).toSorted()

it.each(readmes)("every program in %s is an example, word for word", (readme) => {
  const text = textOf(readme)
  const programs = Array.from(text.matchAll(/^(?:<!-- example: (.*) -->\n)?```ts\n([\s\S]*?)^```/gm))
  assert.strictEqual(programs.length, text.split("```ts").length - 1)
  for (const [, example, program] of programs) {
    assert.isDefined(example, `a program without its example:\n${program}`)
    assert.strictEqual(program, textOf(example))
  }
})

it("the counter prints what the README says", () => {
  const printed = execFileSync(process.execPath, [resolve(root, "apps/demo/examples/readme-counter.ts")], {
    encoding: "utf8"
  })
  assert.strictEqual(printed, "2\n2\n")
})

it.live("the counter over TCP and in files is there again after a restart", () =>
  Effect.gen(function* () {
    const directory = yield* temporaryDirectory
    const address = "127.0.0.1:0"
    const once = Counter.Raft.use((raft) => raft.propose({ _tag: "Increment", by: 2 })).pipe(
      Effect.provide(node({ nodeId: "n1", members: { n1: address }, listen: address, directory }))
    )
    assert.strictEqual(yield* once, 2)
    assert.strictEqual(yield* once, 4)
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
)

it.live("the key-value program runs on a node, and over the network", () =>
  Effect.gen(function* () {
    const port = yield* Ports.freeBase((base) => [base])
    const onNode = yield* Layer.build(readmeKv.node("n1", { n1: "memory:1" }, port))
    for (const services of [onNode, yield* Layer.build(readmeKv.remote(`http://127.0.0.1:${port}`))]) {
      const { entry, result, revision } = yield* Effect.provideContext(readmeKv.program, services)
      const written = new TextEncoder().encode("hello")
      assert.deepStrictEqual(entry, Option.some({ value: written, revision }))
      assert.deepStrictEqual(result, { swapped: true, revision: revision + 1 })
    }
  }).pipe(Effect.scoped, Effect.provide(Layer.merge(MemoryTransport.layer, MemoryStorage.layer)))
)
