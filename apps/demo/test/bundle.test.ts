/** `pnpm bundle`: what it makes is the same command, threads of the simulator included, and needs no sources. */
import { assert } from "@effect/vitest"
import { Authority } from "@effect-raft/test-certificates/Authority"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as NodeChildProcess from "node:child_process"
import * as NodeFs from "node:fs"
import * as NodeHttps from "node:https"
import * as NodePath from "node:path"
import * as Schedule from "effect/Schedule"
import { scenario, temporaryDirectory } from "./Command.ts"
import { places } from "./Serving.ts"

const run = (module: string, args: ReadonlyArray<string>) =>
  Effect.sync(() => {
    const { status, stderr, stdout } = NodeChildProcess.spawnSync(process.execPath, [module, ...args], {
      encoding: "utf8"
    })
    return { status, stderr, stdout }
  })

scenario("the bundled command runs by itself, and its threads too", () =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const directory = NodePath.join(yield* fs.makeTempDirectoryScoped(), "bundle")
    const made = yield* run(NodePath.resolve(import.meta.dirname, "../../../scripts/bundle.ts"), [directory])
    assert.deepStrictEqual(made, { status: 0, stderr: "", stdout: "" })

    const main = NodePath.join(directory, "main.js")
    yield* expectKeptCode(main)
    yield* expectLateModules(main)
    const help = yield* run(main, ["serve", "--help"])
    assert.deepStrictEqual([help.status, help.stderr], [0, ""])
    assert.match(help.stdout, /--node-id/)

    const simulated = yield* run(main, ["sim", "--runs", "2", "--jobs", "2", "--duration", "1s"])
    assert.deepStrictEqual([simulated.status, simulated.stderr], [0, ""])
  })
)

/** What a node loads only when it is used is there: it serves with certificates. */
const expectLateModules = Effect.fnUntraced(function* (main: string) {
  const authority = new Authority()
  const files = authority.issue(yield* temporaryDirectory, { name: "n1" })
  const [place] = yield* places(1)
  const tls = [
    "--tls-cert",
    files.certificateFile,
    "--tls-key",
    files.keyFile,
    "--tls-ca",
    files.authorityFile
  ]
  const node = yield* Effect.acquireRelease(
    Effect.sync(() => NodeChildProcess.spawn(process.execPath, [main, "serve", ...place!.flags, ...tls])),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  const ask = Effect.callback<number | undefined, Error>((resume) => {
    const [cert, key, ca] = [files.certificateFile, files.keyFile, files.authorityFile].map((file) =>
      NodeFs.readFileSync(file)
    )
    NodeHttps.get(
      `${place!.url.replace("http:", "https:")}/status`,
      { cert, key, ca, servername: "n1" },
      (response) => resume(Effect.succeed(response.resume().statusCode))
    ).on("error", (error) => resume(Effect.fail(error)))
  })
  const status = yield* Effect.retry(ask, {
    until: () => node.exitCode !== null,
    schedule: Schedule.spaced("20 millis")
  })
  assert.strictEqual(status, 200)
})

/**
 * A node leaves what was compiled for its next start, although it never ends in an orderly way; and where that is
 * damaged or of another bundle, it starts without.
 */
const expectKeptCode = Effect.fnUntraced(function* (main: string) {
  const fs = yield* FileSystem.FileSystem
  const [place] = yield* places(1)
  const node = yield* Effect.acquireRelease(
    Effect.sync(() => NodeChildProcess.spawn(process.execPath, [main, "serve", ...place!.flags])),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  const kept = NodePath.join(NodePath.dirname(main), "../node_modules/.cache/compiled")
  const code = yield* fs.readDirectory(kept, { recursive: true }).pipe(
    Effect.map((names) => names.find((name) => name.endsWith(".code"))),
    Effect.filterOrFail((name) => name !== undefined),
    Effect.retry({ until: () => node.exitCode !== null, schedule: Schedule.spaced("20 millis") })
  )
  const file = NodePath.join(kept, code)
  const whole = yield* fs.readFile(file)
  const damaged = (at: number) => whole.map((byte, place) => (place === at ? byte ^ 1 : byte))
  for (const bytes of [
    whole,
    damaged(0),
    damaged(4),
    damaged(whole.byteLength >> 1),
    whole.subarray(0, 5_000)
  ]) {
    yield* fs.writeFile(file, bytes)
    const { status, stderr } = yield* run(main, ["serve", "--help"])
    assert.deepStrictEqual([status, stderr], [0, ""])
  }
})
