/**
 * `pnpm bundle [DIRECTORY]`: puts the `effect-raft` command and all that it needs into `apps/demo/bundle`, or
 * where it is told; what was there before goes. It runs with Node alone; it starts in half the time and takes
 * less memory than the sources, because Node neither strips types nor keeps the text of every module with its
 * comments.
 *
 * What a node runs is a bundle of its own, which has everything in one file; the other commands share theirs,
 * in many.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { rolldown } from "rolldown"
import type { InputOptions } from "rolldown"
import * as LateModules from "./LateModules.ts"

const program = path.resolve(import.meta.dirname, "../apps/demo")
const directory = path.resolve(process.argv[2] ?? path.join(program, "bundle"))

/** With all that is loaded by and by in files of its own, of the same ending. */
const write = async (
  input: Readonly<Record<string, string>>,
  { ending, ...output }: { readonly ending: string; readonly format: "esm" | "cjs" },
  plugins: InputOptions["plugins"] = []
) => {
  const bundle = await rolldown({
    cwd: program,
    input: { ...input },
    platform: "node",
    logLevel: "warn",
    plugins
  })
  await bundle.write({
    ...output,
    dir: directory,
    entryFileNames: `[name].${ending}`,
    chunkFileNames: `[name]-[hash].${ending}`,
    // Names stay as they are: a stack trace is to be read.
    minify: { compress: true, mangle: false, codegen: { removeWhitespace: true } }
  })
  await bundle.close()
}

const nodeApart: InputOptions["plugins"] = {
  name: "a node has a bundle of its own",
  resolveId: (id) => (id === "./NodeOnly.ts" ? path.join(program, "src/BundledNode.ts") : undefined)
}

/** By a node without certificates, of which nobody wants WebSockets. */
const seldomUsed = ["tls", "crypto", "https", "ws"]

fs.rmSync(directory, { recursive: true, force: true })
// The names are those by which `Modules.ts` and `BundledNode.ts` look for them.
await write(
  { main: "src/main.ts", "sim/SimWorker": "src/sim/SimWorker.ts" },
  { format: "esm", ending: "js" },
  nodeApart
)
await write({ NodeOnly: "src/NodeOnly.ts" }, { format: "cjs", ending: "cjs" }, LateModules.plugin(seldomUsed))
fs.writeFileSync(path.join(directory, "package.json"), `${JSON.stringify({ type: "module" })}\n`)
