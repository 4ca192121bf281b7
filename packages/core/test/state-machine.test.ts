/**
 * The port to state machines: what the reducer form keeps, what the contract catches, and what types
 * a program sees through `Counter.Raft`.
 */
import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Raft from "../src/Raft.ts"
import type { RaftError } from "../src/RaftError.ts"
import * as StateMachine from "../src/StateMachine.ts"
import * as StateMachineContract from "../src/testing/StateMachineContract.ts"

const CounterCommand = Schema.TaggedUnion({ Increment: { by: Schema.Int }, Reset: {} })

class Counter extends StateMachine.Service<Counter>()("test/Counter", {
  command: CounterCommand,
  reply: Schema.Int,
  state: Schema.Int,
  initial: 0,
  apply: (total, command) => {
    const next = command._tag === "Reset" ? 0 : Math.trunc((total + command.by) % 1_000_000)
    return { state: next, reply: next }
  }
}) {}

describe("the contract, kept by a reducer", () => {
  for (const { name, check } of StateMachineContract.cases) {
    it.prop(name, [StateMachineContract.commands(CounterCommand)], ([commands]) =>
      check(Counter.machine, commands)
    )
  }
})

describe("the contract, broken", () => {
  const run = [
    { _tag: "Increment", by: 1 },
    { _tag: "Increment", by: 2 },
    { _tag: "Reset" },
    { _tag: "Increment", by: 4 }
  ] satisfies ReadonlyArray<typeof CounterCommand.Type>

  const violated = (machine: typeof Counter.machine): ReadonlyArray<string> =>
    StateMachineContract.cases
      .filter(({ check }) => {
        try {
          check(machine, run)
          return false
        } catch (error) {
          if (error instanceof StateMachineContract.ContractViolation) return true
          throw error
        }
      })
      .map(({ name }) => name)

  const instances = (change: (instance: Inst) => Inst): typeof Counter.machine => ({
    ...Counter.machine,
    make: () => change(Counter.machine.make())
  })
  type Inst = ReturnType<typeof Counter.machine.make>

  it("a sound machine breaks nothing", () => {
    assert.deepStrictEqual(violated(instances((instance) => instance)), [])
  })

  it("a machine that looks at something besides its arguments is caught", () => {
    let outside = 0
    const machine = instances((instance) => ({
      ...instance,
      apply: (command, meta) => instance.apply(command, meta) + outside++
    }))
    assert.include(violated(machine), "two copies that apply the same commands agree in replies and state")
  })

  it("a snapshot that is taken only when it is read is caught", () => {
    const machine = instances((instance) => ({
      ...instance,
      snapshot: () => ({ [Symbol.iterator]: () => instance.snapshot()[Symbol.iterator]() })
    }))
    assert.include(violated(machine), "a snapshot is not changed by later commands, however late it is read")
  })

  it("a restore that adds to the state is caught", () => {
    const machine = instances((instance) => ({
      ...instance,
      restore: () => ({ add: () => undefined, finish: () => undefined })
    }))
    assert.includeMembers(Array.from(violated(machine)), [
      "a restored copy goes on as the original does",
      "restoring replaces the state and does not add to it"
    ])
  })

  it("a codec that loses something is caught", () => {
    const machine: typeof Counter.machine = {
      ...Counter.machine,
      command: { ...Counter.machine.command, decode: () => ({ _tag: "Reset" }) }
    }
    assert.include(violated(machine), "a command is the same after encoding and decoding")
  })
})

describe("codecs", () => {
  it("bytes that are no command are refused with a SchemaError", () => {
    assert.throws(() => Counter.machine.command.decode(Uint8Array.of(255, 255, 255)), Schema.SchemaError)
  })

  it("encoded bytes stay as they are when more is encoded", () => {
    const first = Counter.machine.command.encode({ _tag: "Increment", by: 1 })
    const copy = first.slice()
    Counter.machine.command.encode({ _tag: "Increment", by: 999_999 })
    assert.deepStrictEqual(first, copy)
  })
})

describe("types", () => {
  type CounterRaft = (typeof Counter.Raft)["Service"]

  it("Counter.Raft is typed by the machine", () => {
    expectTypeOf<CounterRaft>().toEqualTypeOf<
      Raft.Raft<
        { readonly _tag: "Increment"; readonly by: number } | { readonly _tag: "Reset" },
        number,
        number
      >
    >()
    expectTypeOf<ReturnType<CounterRaft["propose"]>>().toEqualTypeOf<Effect.Effect<number, RaftError>>()
    expectTypeOf<Parameters<CounterRaft["propose"]>[0]["_tag"]>().toEqualTypeOf<"Increment" | "Reset">()
  })

  it("Counter.Raft is asked for by the name of the class", () => {
    expectTypeOf<Effect.Services<typeof Counter.Raft>>().toEqualTypeOf<Counter>()
    assert.strictEqual(Counter.Raft.key, "test/Counter/Raft")
  })
})
