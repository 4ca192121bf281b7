/** `effect-raft inspect DIR`: what it says of a sound, a torn, a damaged and a foreign directory, and how it ends. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { ClusterId, defaultGroup, NodeId } from "@effect-raft/core/NodeId"
import { RaftStorage } from "@effect-raft/core/RaftStorage"
import { append, block, vote } from "@effect-raft/core/testing/StorageScripts"
import * as FileStorage from "@effect-raft/storage-file/FileStorage"
import { InspectionReport } from "@effect-raft/storage-file/InspectionReport"
import * as NodeLogFileSystem from "@effect-raft/storage-file/NodeLogFileSystem"
import * as NodeFs from "node:fs"
import * as NodeOs from "node:os"
import * as NodePath from "node:path"
import * as InProcess from "./InProcess.ts"

const identity = {
  clusterId: ClusterId.make("shop"),
  groupId: defaultGroup,
  nodeId: NodeId.make("n1")
}

/** A node's directory with term 3, a vote and four entries; gone with the scope. */
const storeDirectory = Effect.gen(function* () {
  const root = yield* Effect.acquireRelease(
    Effect.sync(() => NodeFs.mkdtempSync(NodePath.join(NodeOs.tmpdir(), "effect-raft-inspect-"))),
    (path) => Effect.sync(() => NodeFs.rmSync(path, { recursive: true }))
  )
  const directory = NodePath.join(root, "n1")
  const files = FileStorage.layer({ directory, segmentBytes: 4096 })
  yield* RaftStorage.use(({ open }) =>
    Effect.scoped(
      Effect.flatMap(open(identity), ({ write }) =>
        Effect.andThen(write(vote(3, "n2", block(1, 3, 2))), write(append(block(3, 3, 2))))
      )
    )
  ).pipe(Effect.provide(Layer.provide(files, NodeLogFileSystem.layer)))
  return directory
})

const inspect = (...args: ReadonlyArray<string>) =>
  Effect.map(InProcess.run(["inspect", ...args]), ({ code, complained, said }) => ({
    code,
    text: said.join("\n"),
    complained: complained.join("\n")
  }))

const segmentOf = (directory: string) => NodePath.join(directory, "00000001.wal")

/** Changes one bit of the byte at `offset`. */
const flip = (file: string, offset: number) => {
  const bytes = NodeFs.readFileSync(file)
  bytes[offset]! ^= 1
  NodeFs.writeFileSync(file, bytes)
}

const fingerprint = (directory: string) =>
  NodeFs.readdirSync(directory).map((name) => {
    const path = NodePath.join(directory, name)
    return `${name} ${NodeFs.statSync(path).mtimeMs} ${NodeFs.readFileSync(path, "base64")}`
  })

describe("inspect", () => {
  it.live("tells whose a directory is, term, vote and entries, and changes nothing", () =>
    Effect.gen(function* () {
      const directory = yield* storeDirectory
      const before = fingerprint(directory)
      const { code, text } = yield* inspect(directory)
      expect(code).toBe(0)
      expect(text).toContain("owner: node n1 of cluster shop, group default")
      expect(text).toContain("term 3, vote n2")
      expect(text).toContain("up to 4; 1..4 of term 3")
      expect(text).toContain("verdict: sound; a node would open it")
      expect(fingerprint(directory)).toEqual(before)
    })
  )

  it.live("prints the same as JSON, which reads as its schema", () =>
    Effect.gen(function* () {
      const { code, text } = yield* inspect(yield* storeDirectory, "--json")
      const json = Schema.fromJsonString(Schema.toCodecJson(InspectionReport))
      const report = yield* Schema.decodeEffect(json)(text)
      expect(code).toBe(0)
      expect(report.identity).toEqual(identity)
      expect(report.log).toMatchObject({ currentTerm: 3, votedFor: "n2", lastIndex: 4 })
      expect(report.verdict._tag).toBe("Sound")
    })
  )

  it.live("names file and byte of damage, says what to do, and ends with 1", () =>
    Effect.gen(function* () {
      const directory = yield* storeDirectory
      flip(segmentOf(directory), 520)
      const { code, complained, text } = yield* inspect(directory)
      expect(code).toBe(1)
      expect(text).toMatch(/verdict: damaged: .*00000001\.wal at byte \d+: /)
      expect(complained).toMatch(
        /^effect-raft: damaged: .*Put a copy of this node's own directory in its place/
      )
      const json = yield* inspect(directory, "--json")
      expect(json.code).toBe(1)
      expect(JSON.parse(json.text)).toMatchObject({ verdict: { _tag: "Damaged" } })
    })
  )

  it.live("says of an empty directory what a node would do, and refuses what is no store", () =>
    Effect.gen(function* () {
      const directory = yield* storeDirectory
      const empty = NodePath.join(directory, "..", "empty")
      NodeFs.mkdirSync(empty)
      expect(yield* inspect(empty)).toMatchObject({ code: 0 })
      expect((yield* inspect(empty)).text).toContain("verdict: empty; a node would begin a new store here")
      NodeFs.writeFileSync(NodePath.join(empty, "letter.txt"), "dear")
      const foreign = yield* inspect(empty)
      expect(foreign.code).toBe(1)
      expect(foreign.complained).toContain("is not a store of this program: it holds letter.txt")
      const missing = yield* inspect(NodePath.join(directory, "nowhere"))
      expect(missing.code).toBe(1)
      expect(missing.complained).toContain("there is no such file or directory (ENOENT)")
      const file = yield* inspect(NodePath.join(empty, "letter.txt"))
      expect(file.code).toBe(1)
      expect(file.complained).toContain("this is no backup of effect-raft")
    })
  )
})
