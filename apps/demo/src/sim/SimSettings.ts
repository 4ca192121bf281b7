/**
 * What every run of one `effect-raft sim` has in common: the flags that shape a run, in a form that can be
 * sent to another thread. With a seed they name one run exactly.
 */
import type * as Simulate from "@effect-raft/core/testing/Simulate"
import type { KvCommand } from "@effect-raft/kv/KvCommand"
import type { KvView } from "@effect-raft/kv/KvMachine"
import * as Schema from "effect/Schema"
import * as SimStorage from "./SimStorage.ts"

export const faultKinds = ["swarm", "none"] as const

/** `undefined` where the seed decides. */
export const SimSettings = Schema.Struct({
  nodes: Schema.UndefinedOr(Schema.Int),
  durationMillis: Schema.UndefinedOr(Schema.Number),
  operationsPerSecond: Schema.UndefinedOr(Schema.Int),
  heartbeatIntervalMillis: Schema.UndefinedOr(Schema.Int),
  faults: Schema.Literals(faultKinds),
  storage: Schema.Literals(SimStorage.kinds)
})
export type SimSettings = typeof SimSettings.Type

export type Options = Simulate.Options<KvCommand, KvView>

export const toOptions = (settings: SimSettings): Options => ({
  ...(settings.nodes === undefined ? undefined : { size: settings.nodes }),
  ...(settings.durationMillis === undefined ? undefined : { durationMillis: settings.durationMillis }),
  ...(settings.operationsPerSecond === undefined
    ? undefined
    : { operationsPerSecond: settings.operationsPerSecond }),
  ...(settings.heartbeatIntervalMillis === undefined
    ? undefined
    : { heartbeatIntervalMillis: settings.heartbeatIntervalMillis }),
  faults: settings.faults,
  disks: SimStorage.disksOf(settings.storage)
})

/** The flags that make a run of the same seed the same. */
export const toFlags = (settings: SimSettings): string =>
  [
    settings.nodes === undefined ? "" : ` --nodes ${settings.nodes}`,
    settings.durationMillis === undefined ? "" : ` --duration ${settings.durationMillis}ms`,
    settings.operationsPerSecond === undefined ? "" : ` --rate ${settings.operationsPerSecond}`,
    settings.heartbeatIntervalMillis === undefined ? "" : ` --heartbeat ${settings.heartbeatIntervalMillis}`,
    settings.faults === "swarm" ? "" : ` --faults ${settings.faults}`,
    settings.storage === "mixed" ? "" : ` --storage ${settings.storage}`
  ].join("")
