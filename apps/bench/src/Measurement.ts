/**
 * One measurement: what was measured, of whom, and the figures that came out. A measurement is one line
 * of JSON, so that runs of different days and machines can be put side by side by any tool.
 */
import * as Schema from "effect/Schema"

/** What is varied: the operation, how many clients, how large the values. */
export const Case = Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Finite]))
export type Case = typeof Case.Type

export const Measurement = Schema.Struct({
  scenario: Schema.String,
  /** Who was measured: "effect-raft", "etcd", "bare loop". */
  subject: Schema.String,
  case: Case,
  /** Which repetition, from 1. The subjects take turns within a round. */
  round: Schema.Int,
  /** Units stand in the names: `p50Millis`, `serverCpuMicrosPerOp`. */
  figures: Schema.Record(Schema.String, Schema.Finite),
  /** Processes that were ready to run on this machine, over the last minute (Unix load). */
  machineLoad: Schema.Finite
})
export type Measurement = typeof Measurement.Type

const Line = Schema.fromJsonString(Measurement)

/** The measurement as one line of JSON. */
export const encodeLine = Schema.encodeSync(Line)

/** Names a case for people: "operation put, clients 64". */
export const describe = (varied: Case): string =>
  Object.entries(varied)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ")
