/**
 * The commands, each in a module of its own that is loaded when the command is asked for: a node's
 * process has no use for the simulator, nor for the clients of the other commands, and would carry their
 * modules in memory for as long as it runs.
 */
import * as Effect from "effect/Effect"

/** In the order in which the help lists them. */
const loaders = {
  up: async () => (await import("./commands/Up.ts")).up,
  demo: async () => (await import("./commands/Demo.ts")).demo,
  serve: async () => (await import("./commands/Serve.ts")).make(Effect.promise(() => import("./Node.ts"))),
  put: async () => (await import("./commands/Put.ts")).put,
  get: async () => (await import("./commands/Get.ts")).get,
  delete: async () => (await import("./commands/Delete.ts")).remove,
  cas: async () => (await import("./commands/Cas.ts")).cas,
  status: async () => (await import("./commands/Status.ts")).status,
  member: async () => (await import("./commands/Member.ts")).member,
  transfer: async () => (await import("./commands/Transfer.ts")).transfer,
  backup: async () => (await import("./commands/Backup.ts")).backup,
  restore: async () => (await import("./commands/Restore.ts")).restore,
  recover: async () => (await import("./commands/Recover.ts")).recover,
  inspect: async () => (await import("./commands/Inspect.ts")).inspect,
  sim: async () => (await import("./commands/Sim.ts")).sim,
  maelstrom: async () => (await import("./commands/Maelstrom.ts")).maelstrom
}

type Name = keyof typeof loaders

/** One of the commands. */
export type Any = Awaited<ReturnType<(typeof loaders)[Name]>>

/** The command that these arguments begin with; all of them where they begin with something else. */
export const load = ([first = ""]: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<Any>> =>
  Effect.promise(() => Promise.all((isName(first) ? [first] : names).map((name) => loaders[name]())))

const names = Object.keys(loaders) as ReadonlyArray<Name>

const isName = (text: string): text is Name => Object.hasOwn(loaders, text)
