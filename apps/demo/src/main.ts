#!/usr/bin/env node
/**
 * The `effect-raft` program begins here: it turns on Node's cache of compiled modules, which halves the
 * time every process of a cluster takes to start, and only then loads the rest.
 */
import * as NodeModule from "node:module"
import * as NodePath from "node:path"
import * as NodeVersion from "./NodeVersion.ts"

const begin = async (): Promise<void> => {
  // Beside our own modules and not in the system's temporary directory, where others may write. Where
  // nobody may write it is not kept, and nothing else changes.
  NodeModule.enableCompileCache(NodePath.join(import.meta.dirname, "../node_modules/.cache/compiled"))

  const { main } = await (process.argv[2] === "serve" ? import("./NodeOnly.ts") : import("./AnyCommand.ts"))
  main()
}

const complaint = NodeVersion.complaintAbout(process.versions.node)
if (complaint === undefined) await begin()
else {
  process.stderr.write(`effect-raft: ${complaint}\n`)
  process.exitCode = 1
}
