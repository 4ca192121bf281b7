/**
 * The replicated key-value machine: a map, and for every key the log index of its last write.
 *
 * That index is the key's revision. It only grows, so a revision names one write for ever, and a
 * condition on a revision is compare-and-set.
 */
import type { ApplyMeta, Instance } from "@effect-raft/core/StateMachine"
import * as StateMachine from "@effect-raft/core/StateMachine"
import { ForkableMap } from "./ForkableMap.ts"
import * as KvCommand from "./KvCommand.ts"
import * as KvQuery from "./KvQuery.ts"
import * as KvSnapshot from "./KvSnapshot.ts"

/** What a read sees. What `get` gives must not be written into; it may be kept. */
export interface KvView {
  readonly get: (key: string) => KvSnapshot.Stored | undefined
  /** How many keys there are. */
  readonly size: number
}

const conditionHolds = (
  condition: KvCommand.Condition | undefined,
  present: KvSnapshot.Stored | undefined
): boolean => {
  if (condition === undefined) return true
  return condition._tag === "IfAbsent" ? present === undefined : present?.revision === condition.revision
}

const applyTo = (
  map: ForkableMap<KvSnapshot.Stored>,
  command: KvCommand.KvCommand,
  meta: ApplyMeta
): KvCommand.KvReply => {
  // Only a conditional write needs to know what is there.
  if (command.condition !== undefined) {
    const present = map.get(command.key)
    if (!conditionHolds(command.condition, present)) {
      return { _tag: "ConditionFailed", revision: present?.revision ?? null }
    }
  }
  if (command._tag === "Delete") return { _tag: "Deleted", deleted: map.delete(command.key) }
  // The command's value is a view of the log, and the log may go. Not `slice`: of a Node Buffer that is a view.
  map.set(command.key, new KvSnapshot.Stored(new Uint8Array(command.value), meta.index))
  return { _tag: "Written", revision: meta.index }
}

const make = (): Instance<KvCommand.KvCommand, KvCommand.KvReply, KvView> => {
  let map = new ForkableMap<KvSnapshot.Stored>()
  const view: KvView = {
    get: (key) => map.get(key),
    get size() {
      return map.size
    }
  }
  return {
    apply: (command, meta) => applyTo(map, command, meta),
    view: () => view,
    snapshot: () => {
      const taken = map.fork()
      return { [Symbol.iterator]: () => KvSnapshot.encode(taken) }
    },
    restore: (pieces) => {
      map = KvSnapshot.decode(pieces)
    }
  }
}

/** The machine, and `KvMachine.Raft`, the node that replicates it. */
export class KvMachine extends StateMachine.ServiceOf<KvMachine>()("effect-raft/kv/KvMachine", {
  command: KvCommand.KvCommand,
  reply: KvCommand.KvReply,
  commandCodec: KvCommand.commandCodec,
  replyCodec: KvCommand.replyCodec,
  queries: {
    query: KvQuery.KvQuery,
    answer: KvQuery.KvAnswer,
    queryCodec: KvQuery.queryCodec,
    answerCodec: KvQuery.answerCodec,
    ask: (view: KvView, { key }) => view.get(key) ?? null
  },
  make
}) {}
