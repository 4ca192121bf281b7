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
import type { Stored } from "./Stored.ts"
import { YoungValues } from "./YoungValues.ts"

/** What a read sees. What `get` gives must not be written into; it may be kept. */
export interface KvView {
  readonly get: (key: string) => Pick<Stored, "value" | "revision"> | undefined
  /** How many keys there are. */
  readonly size: number
}

const conditionHolds = (condition: KvCommand.Condition | undefined, present: Stored | undefined): boolean => {
  if (condition === undefined) return true
  return condition._tag === "IfAbsent" ? present === undefined : present?.revision === condition.revision
}

interface State {
  readonly map: ForkableMap<Stored>
  /** Writes to the map. */
  readonly young: YoungValues
}

const stateOf = (map: ForkableMap<Stored>): State => ({ map, young: new YoungValues(map) })

const applyTo = ({ map, young }: State, command: KvCommand.KvCommand, meta: ApplyMeta): KvCommand.KvReply => {
  // Only a conditional write needs to know what is there.
  if (command.condition !== undefined) {
    const present = map.get(command.key)
    if (!conditionHolds(command.condition, present)) {
      return { _tag: "ConditionFailed", revision: present?.revision ?? null }
    }
  }
  if (command._tag === "Delete") return { _tag: "Deleted", deleted: map.delete(command.key) }
  young.put(command.key, command.value, meta.index)
  return { _tag: "Written", revision: meta.index }
}

const make = (): Instance<KvCommand.KvCommand, KvCommand.KvReply, KvView> => {
  let state = stateOf(new ForkableMap())
  const view: KvView = {
    get: (key) => state.map.get(key)?.shown(),
    get size() {
      return state.map.size
    }
  }
  return {
    apply: (command, meta) => applyTo(state, command, meta),
    view: () => view,
    snapshot: () => {
      const taken = state.map.fork()
      state.young.onFork()
      return { [Symbol.iterator]: () => KvSnapshot.encode(taken) }
    },
    restore: (pieces) => {
      state = stateOf(KvSnapshot.decode(pieces))
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
