/** The lin-kv machine keeps what every machine must, and does what compare-and-set promises. */
import { describe, expect, it } from "@effect/vitest"
import * as StateMachineContract from "@effect-raft/core/testing/StateMachineContract"
import * as Schema from "effect/Schema"
import type { LinKvCommand, LinKvReply } from "../src/maelstrom/LinKvMachine.ts"
import { LinKvMachine } from "../src/maelstrom/LinKvMachine.ts"

/** Few keys and values, so that commands meet. */
const Key = Schema.Literals(["1", '"1"'])
const Value = Schema.Literals(["1", "2", "null"])
const Command = Schema.TaggedUnion({
  Write: { key: Key, value: Value },
  CompareAndSet: { key: Key, from: Value, to: Value, createIfAbsent: Schema.Boolean }
})

const runs = StateMachineContract.commands(Command)

describe("the contract", () => {
  for (const { name, check } of StateMachineContract.cases) {
    it.prop(name, [runs], ([commands]) => check(LinKvMachine.machine, commands))
  }
})

it.prop("it answers as a map would", [runs], ([commands]) => {
  const machine = LinKvMachine.machine.make()
  const map = new Map<string, string>()
  commands.forEach((command, position) => {
    expect(machine.apply(command, StateMachineContract.metaAt(position))).toEqual(applyTo(map, command))
  })
})

const applyTo = (map: Map<string, string>, command: LinKvCommand): LinKvReply => {
  const found = map.get(command.key)
  if (command._tag === "CompareAndSet" && found !== command.from) {
    if (found !== undefined) return { _tag: "Different", found }
    if (!command.createIfAbsent) return { _tag: "Absent" }
  }
  map.set(command.key, command._tag === "Write" ? command.value : command.to)
  return { _tag: "Written" }
}
