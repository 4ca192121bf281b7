/**
 * The replicated key-value machine: a map, and for every key the log index of its last write.
 *
 * That index is the key's revision. It only grows, so a revision names one write for ever, and a
 * condition on a revision is compare-and-set.
 */
import type { ApplyMeta, Instance } from "@effect-raft/core/StateMachine"
import * as StateMachine from "@effect-raft/core/StateMachine"
import * as KvCommand from "./KvCommand.ts"
import * as KvQuery from "./KvQuery.ts"
import * as KvSnapshot from "./KvSnapshot.ts"
import { PagedValues } from "./PagedValues.ts"
import type { Stored } from "./Stored.ts"

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

const applyTo = (values: PagedValues, command: KvCommand.KvCommand, meta: ApplyMeta): KvCommand.KvReply => {
  // Only a conditional write needs to know what is there.
  if (command.condition !== undefined) {
    const present = values.get(command.key)
    if (!conditionHolds(command.condition, present)) {
      return { _tag: "ConditionFailed", revision: present?.revision ?? null }
    }
  }
  if (command._tag === "Delete") return { _tag: "Deleted", deleted: values.delete(command.key) }
  values.put(command.key, command.value, meta.index)
  return { _tag: "Written", revision: meta.index }
}

/** All of a snapshot, as the values are now. To be read once: then those values may be written over. */
const piecesOf = (values: PagedValues): Iterable<Uint8Array> => {
  const taken = values.fork()
  let isRead = false
  return {
    *[Symbol.iterator]() {
      if (isRead) throw new Error("A snapshot is read once; take another one")
      isRead = true
      try {
        yield* KvSnapshot.encode(taken)
      } finally {
        values.endFork(taken)
      }
    }
  }
}

const make = (): Instance<KvCommand.KvCommand, KvCommand.KvReply, KvView> => {
  let values = new PagedValues()
  const view: KvView = {
    get: (key) => values.get(key)?.shown(),
    get size() {
      return values.size
    }
  }
  return {
    apply: (command, meta) => applyTo(values, command, meta),
    view: () => view,
    snapshot: () => {
      const small = KvSnapshot.encodeSmall(values.present())
      if (small !== undefined) return small
      return piecesOf(values)
    },
    restore: () => {
      const reading = new KvSnapshot.Reading()
      return {
        add: (piece) => reading.add(piece),
        finish: () => {
          values = reading.finish()
        }
      }
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
