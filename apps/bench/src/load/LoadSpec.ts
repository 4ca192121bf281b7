/**
 * What the load generator is told, and what it answers: one line of JSON each way. It is a process of its
 * own, so that its processor time, its memory and its garbage are told apart from the bench's.
 */
import * as Schema from "effect/Schema"

/** What the clients do. A mix is nine reads to one put; a fill writes every key once and ends. */
export const operations = ["put", "linearizable get", "stale get", "mix 90:10", "fill"] as const
export const Operation = Schema.Literals(operations)
export type Operation = typeof Operation.Type

export const LoadSpec = Schema.Struct({
  protocol: Schema.Literals(["etcd", "http", "native"]),
  /** Where the clients connect, the first before the others. */
  endpoints: Schema.Array(Schema.String),
  /** Whom a native client asks its queries. */
  queryAt: Schema.Literals(["leader", "any"]),
  operation: Operation,
  clients: Schema.Int,
  /** Connections that native clients share; 1 where it is left out. */
  connections: Schema.optionalKey(Schema.Int),
  /** Beside the clients one more operation begins this often. */
  paceMillis: Schema.optionalKey(Schema.Finite),
  valueBytes: Schema.Int,
  /** How many keys there are. Reads find all of them written. */
  keys: Schema.Int,
  seconds: Schema.Finite,
  warmUpSeconds: Schema.Finite
})
export type LoadSpec = typeof LoadSpec.Type

/** What the load generator says: that its warm-up is over, and at the end what came out. */
export const LoadNews = Schema.Union([
  Schema.TaggedStruct("Begun", {}),
  Schema.TaggedStruct("Done", {
    figures: Schema.Record(Schema.String, Schema.Finite),
    operations: Schema.Int
  }),
  Schema.TaggedStruct("Failed", { message: Schema.String })
])
export type LoadNews = typeof LoadNews.Type

export const SpecLine = Schema.fromJsonString(LoadSpec)
export const NewsLine = Schema.fromJsonString(LoadNews)
