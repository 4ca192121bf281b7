/**
 * Where a thread of `effect-raft sim` begins; what it does is in SimThread.
 *
 * Effect keeps the platform's async context for every fiber that waits, which is a twentieth of a simulation's
 * time, and no simulation asks for it. It does without where the platform has none, and looks when it is loaded:
 * so in this thread there is none, and the rest is loaded after that. Node's cache of compiled modules is each
 * thread's own affair; it halves the time that a thread takes to begin.
 */
import * as NodeModule from "node:module"
import { workerData } from "node:worker_threads"

const builtinModule = process.getBuiltinModule.bind(process)
process.getBuiltinModule = (id: string) => (id === "node:async_hooks" ? undefined : builtinModule(id))

if (typeof workerData === "string") NodeModule.enableCompileCache(workerData)

await import("./SimThread.ts")
