/**
 * Where a thread of `effect-raft sim` begins; what it does is in SimThread.
 *
 * Effect keeps the platform's async context for every fiber that waits, which is a twentieth of a simulation's
 * time, and no simulation asks for it. It does without where the platform has none, and looks when it is loaded:
 * so in this thread there is none, and the rest is loaded after that.
 */
const builtinModule = process.getBuiltinModule.bind(process)
process.getBuiltinModule = (id: string) => (id === "node:async_hooks" ? undefined : builtinModule(id))

await import("./SimThread.ts")
