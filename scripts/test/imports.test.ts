/**
 * The import checker, shown to bite: each rule gets a small source that breaks it, and one that stands
 * just inside it.
 */
import { assert, describe, it } from "@effect/vitest"
import { violationsOf } from "../imports/rules.ts"

const rulesBroken = (file: string, text: string) =>
  violationsOf(file, text).map((violation) => violation.rule)

const election = "packages/core/src/consensus/Election.ts"
const node = "packages/core/src/RaftNode.ts"

describe("core-is-platform-free", () => {
  it.each(["node:fs", "fs", "node:timers/promises", "@effect/platform-node/NodeSocket"])(
    "%s",
    (specifier) => {
      assert.deepEqual(rulesBroken(node, `import * as x from "${specifier}"`), ["core-is-platform-free"])
    }
  )

  it("also as a type, a dynamic import or a re-export", () => {
    assert.deepEqual(rulesBroken(node, `import type { Stats } from "node:fs"`), ["core-is-platform-free"])
    assert.deepEqual(rulesBroken(node, `type S = import("node:fs").Stats`), ["core-is-platform-free"])
    assert.deepEqual(rulesBroken(node, `export * from "node:fs"`), ["core-is-platform-free"])
    assert.deepEqual(rulesBroken(node, `const x = () => import("node:fs")`), ["core-is-platform-free"])
  })

  it("binds only the core", () => {
    assert.deepEqual(rulesBroken("packages/storage-file/src/LogFile.ts", `import * as fs from "node:fs"`), [])
    assert.deepEqual(rulesBroken("packages/core/test/Raft.test.ts", `import * as fs from "node:fs"`), [])
  })
})

describe("core-is-deterministic", () => {
  it.each([
    "Date.now()",
    `Date["now"]()`,
    "new Date()",
    "new Date(0)",
    "Math.random()",
    "setTimeout(f, 1)",
    "setInterval(f, 1)",
    "queueMicrotask(f)",
    "performance.now()",
    "process.env",
    "crypto.randomUUID()",
    "globalThis.setTimeout(f, 1)"
  ])("%s", (expression) => {
    assert.deepEqual(rulesBroken(node, `const x = ${expression}`), ["core-is-deterministic"])
  })

  it("names the use and its line", () => {
    const [violation] = violationsOf(node, "const a = 1\nconst b = Date.now()\n")
    assert.strictEqual(violation?.line, 2)
    assert.include(violation?.message, "Date.now")
  })

  it("reads code, not comments, strings or other people's members", () => {
    const text = [
      "// Date.now() and setTimeout(f, 1)",
      "/* Math.random() */",
      `const a = "process.env"`,
      "const b = `Date.now()`",
      "const c = clock.now() + random.random() + Math.max(1, 2)",
      "const d = job.process.done"
    ].join("\n")
    assert.deepEqual(rulesBroken(node, text), [])
  })

  it("looks inside template literals", () => {
    assert.deepEqual(rulesBroken(node, "const x = `${Date.now()}`"), ["core-is-deterministic"])
  })

  it("binds only what the core ships", () => {
    assert.deepEqual(rulesBroken("packages/core/test/Raft.test.ts", "const x = Date.now()"), [])
    assert.deepEqual(rulesBroken("apps/demo/src/main.ts", "const x = process.env"), [])
  })
})

describe("consensus-is-pure", () => {
  it("takes no Effect at run time", () => {
    const broken = ["consensus-is-pure"]
    assert.deepEqual(rulesBroken(election, `import * as Effect from "effect/Effect"`), broken)
    assert.deepEqual(rulesBroken(election, `import { Option } from "effect"`), broken)
    assert.deepEqual(rulesBroken(election, `export * from "effect/Effect"`), broken)
  })

  it("may name its types, and use plain data and its own files", () => {
    const text = `
      import type * as Option from "effect/Option"
      import type { WriteBatch } from "../RaftStorage.ts"
      import * as Term from "../Term.ts"
      import * as Quorum from "./Quorum.ts"
    `
    assert.deepEqual(rulesBroken(election, text), [])
  })
})

describe("core-layers", () => {
  const outcomes: ReadonlyArray<readonly [file: string, specifier: string, allowed: boolean]> = [
    ["Term.ts", "./consensus/Quorum.ts", false],
    ["Term.ts", "./RaftStorage.ts", false],
    ["RaftStorage.ts", "./Term.ts", true],
    ["RaftStorage.ts", "./consensus/NodeState.ts", false],
    ["consensus/Election.ts", "../RaftStorage.ts", false],
    ["consensus/Election.ts", "../roles/Candidate.ts", false],
    ["consensus/Election.ts", "../RaftNode.ts", false],
    ["roles/Candidate.ts", "../consensus/Election.ts", true],
    ["roles/Candidate.ts", "../internal/Mailbox.ts", false],
    ["roles/Candidate.ts", "../RaftNode.ts", false],
    ["internal/RoleScope.ts", "../roles/Leader.ts", true],
    ["internal/Mailbox.ts", "../RaftNode.ts", false],
    ["MemoryStorage.ts", "./RaftStorage.ts", true],
    ["RaftTrace.ts", "./consensus/Event.ts", true],
    ["RaftNode.ts", "./roles/Leader.ts", true],
    ["RaftNode.ts", "./Raft.ts", false],
    ["Raft.ts", "./RaftNode.ts", true]
  ]
  it.each(outcomes)("%s importing %s: allowed %s", (file, specifier, allowed) => {
    const broken = rulesBroken(`packages/core/src/${file}`, `import * as X from "${specifier}"`)
    assert.deepEqual(broken, allowed ? [] : ["core-layers"])
  })

  it("a type points the same way as a value", () => {
    const text = `import type { Leader } from "../roles/Leader.ts"`
    assert.deepEqual(rulesBroken(election, text), ["core-layers"])
  })

  it("a machine's definition may name its handle", () => {
    const file = "packages/core/src/StateMachine.ts"
    assert.deepEqual(rulesBroken(file, `import type { Raft } from "./Raft.ts"`), [])
    assert.deepEqual(rulesBroken(file, `import { Raft } from "./Raft.ts"`), ["core-layers"])
  })
})

describe("readable", () => {
  it("a file that cannot be parsed is a violation, not a crash", () => {
    assert.deepEqual(rulesBroken(node, "const = 1"), ["readable"])
  })
})

describe("own-barrel", () => {
  it.each(["./index.ts", "@effect-raft/core", "."])("%s", (specifier) => {
    assert.deepEqual(rulesBroken(node, `import { Raft } from "${specifier}"`), ["own-barrel"])
  })

  it("binds tests as well", () => {
    const text = `import { Raft } from "../src/index.ts"`
    assert.deepEqual(rulesBroken("packages/core/test/Raft.test.ts", text), ["own-barrel"])
  })

  it("leaves other packages' barrels alone", () => {
    const text = `import { Raft } from "@effect-raft/core"`
    assert.deepEqual(rulesBroken("packages/kv/src/Kv.ts", text), [])
  })
})

describe("package-boundary", () => {
  it("a relative path stays in its package", () => {
    const text = `import * as Term from "../../core/src/Term.ts"`
    assert.deepEqual(rulesBroken("packages/kv/src/Kv.ts", text), ["package-boundary"])
  })

  it("what is internal to the core stays there", () => {
    const text = `import * as Mailbox from "@effect-raft/core/internal/Mailbox"`
    assert.deepEqual(rulesBroken("packages/kv/src/Kv.ts", text), ["package-boundary"])
  })
})

describe("package-direction", () => {
  it("no package imports an app", () => {
    const text = `import * as Demo from "@effect-raft/demo/Cluster"`
    assert.deepEqual(rulesBroken("packages/kv/src/Kv.ts", text), ["package-direction"])
    assert.deepEqual(rulesBroken("packages/kv/test/Kv.test.ts", text), ["package-direction"])
  })

  it("the core imports no other package", () => {
    assert.deepEqual(rulesBroken(node, `import * as Kv from "@effect-raft/kv/Kv"`), ["package-direction"])
  })

  const adapters: ReadonlyArray<readonly [adapter: string, ownPort: string, otherPort: string]> = [
    ["transport-tcp", "RaftTransport", "RaftStorage"],
    ["storage-file", "RaftStorage", "RaftTransport"]
  ]
  it.each(adapters)("%s sees plain data and %s, not %s", (adapter, ownPort, otherPort) => {
    const broken = (module: string) =>
      rulesBroken(`packages/${adapter}/src/X.ts`, `import * as X from "@effect-raft/core/${module}"`)
    assert.deepEqual(broken("Term"), [])
    assert.deepEqual(broken(ownPort), [])
    assert.deepEqual(broken(otherPort), ["package-direction"])
    assert.deepEqual(broken("consensus/Election"), ["package-direction"])
    assert.deepEqual(broken("Raft"), ["package-direction"])
  })

  it("the testing kit of an adapter sees that of the core, and not what is under it", () => {
    const broken = (module: string) =>
      rulesBroken(
        "packages/storage-file/src/testing/X.ts",
        `import * as X from "@effect-raft/core/${module}"`
      )
    assert.deepEqual(broken("testing/FaultyDisk"), [])
    assert.deepEqual(broken("Raft"), ["package-direction"])
  })
})

describe("testing-stays-in-tests", () => {
  it("the core does not import it", () => {
    const text = `import * as RaftTest from "./testing/RaftTest.ts"`
    assert.deepEqual(rulesBroken(node, text), ["testing-stays-in-tests"])
  })

  it("nor does another package", () => {
    const text = `import * as RaftTest from "@effect-raft/core/testing/RaftTest"`
    assert.deepEqual(rulesBroken("packages/kv/src/Kv.ts", text), ["testing-stays-in-tests"])
  })

  it("nor does a package import a testing kit of its own", () => {
    const text = `import * as SimulatedFiles from "./testing/SimulatedFiles.ts"`
    assert.deepEqual(rulesBroken("packages/storage-file/src/FileStorage.ts", text), [
      "testing-stays-in-tests"
    ])
  })

  it("tests and apps do", () => {
    const text = `import { RaftTest } from "@effect-raft/core/testing"`
    assert.deepEqual(rulesBroken("packages/kv/test/Kv.test.ts", text), [])
    assert.deepEqual(rulesBroken("apps/demo/src/simulate.ts", text), [])
  })
})
