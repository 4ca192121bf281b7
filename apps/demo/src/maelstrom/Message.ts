/**
 * Maelstrom's messages: one JSON object per line, with a sender, a receiver and a body whose `type` tells
 * what it is.
 *
 * Three parties speak this way: Maelstrom, which sends `init` once; clients, which send the requests of
 * the lin-kv workload; and the nodes among themselves, in bodies of a shape that is ours alone.
 */
import * as Schema from "effect/Schema"
import { JsonText } from "./JsonText.ts"

/** A body that nobody has looked at yet. */
export const Body = Schema.Record(Schema.String, Schema.Unknown)
export type Body = typeof Body.Type

/** One line. */
export const Envelope = Schema.Struct({ src: Schema.String, dest: Schema.String, body: Body })
export type Envelope = typeof Envelope.Type

/** "You are `node_id`, and these are all of you." The first message that a node gets. */
export const Init = Schema.Struct({
  type: Schema.Literal("init"),
  node_id: Schema.String,
  node_ids: Schema.Array(Schema.String)
})
export type Init = typeof Init.Type

export const Read = Schema.Struct({ type: Schema.Literal("read"), key: JsonText })

export const Write = Schema.Struct({ type: Schema.Literal("write"), key: JsonText, value: JsonText })

/** Writes `to` if the value is `from`; on an absent key only if `create_if_not_exists` says so. */
export const Cas = Schema.Struct({
  type: Schema.Literal("cas"),
  key: JsonText,
  from: JsonText,
  to: JsonText,
  create_if_not_exists: Schema.optionalKey(Schema.Boolean)
})

/** What clients ask of a lin-kv node. */
export const Request = Schema.Union([Read, Write, Cas])
export type Request = typeof Request.Type

/** The type of the bodies that nodes send each other. */
export const peerType = "raft"

/** What a node answers; `in_reply_to` is added on the way out. */
export type Reply =
  | { readonly type: "init_ok" | "write_ok" | "cas_ok" }
  | { readonly type: "read_ok"; readonly value: unknown }
  | { readonly type: "error"; readonly code: number; readonly text: string }

export const error = (code: number, text: string): Reply => ({ type: "error", code, text })

/** The id by which the sender of a request knows its answer. */
export const messageId = (body: Body): number | undefined =>
  Number.isSafeInteger(body["msg_id"]) ? Number(body["msg_id"]) : undefined
