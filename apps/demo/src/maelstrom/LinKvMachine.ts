/**
 * The store of the lin-kv workload as a state machine: a map from keys to values, with a
 * compare-and-set that compares values.
 *
 * Keys and values are canonical JSON texts. The map is a persistent one: a write copies a path of it and
 * not the whole, and a snapshot is the map as it stands.
 */
import * as StateMachine from "@effect-raft/core/StateMachine"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

export const LinKvCommand = Schema.TaggedUnion({
  Write: { key: Schema.String, value: Schema.String },
  /** `createIfAbsent`: an absent key is as good as one that has the value `from`. */
  CompareAndSet: {
    key: Schema.String,
    from: Schema.String,
    to: Schema.String,
    createIfAbsent: Schema.Boolean
  }
})
export type LinKvCommand = typeof LinKvCommand.Type

export const LinKvReply = Schema.TaggedUnion({
  Written: {},
  /** Nothing was changed: the key has no value. */
  Absent: {},
  /** Nothing was changed: the key has the value `found`. */
  Different: { found: Schema.String }
})
export type LinKvReply = typeof LinKvReply.Type

const State = Schema.HashMap(Schema.String, Schema.String)
export type LinKvState = typeof State.Type

interface Applied {
  readonly state: LinKvState
  readonly reply: LinKvReply
}

const apply = (state: LinKvState, command: LinKvCommand): Applied => {
  if (command._tag === "Write") return write(state, command.key, command.value)
  const { key, from, to, createIfAbsent } = command
  const found = Option.getOrUndefined(HashMap.get(state, key))
  if (found === from || (found === undefined && createIfAbsent)) return write(state, key, to)
  return { state, reply: found === undefined ? { _tag: "Absent" } : { _tag: "Different", found } }
}

const write = (state: LinKvState, key: string, value: string): Applied => ({
  state: HashMap.set(state, key, value),
  reply: { _tag: "Written" }
})

/** The machine, and `LinKvMachine.Raft`, the node that replicates it. */
export class LinKvMachine extends StateMachine.Service<LinKvMachine>()("effect-raft/maelstrom/LinKv", {
  command: LinKvCommand,
  reply: LinKvReply,
  state: State,
  initial: HashMap.empty(),
  apply
}) {}
