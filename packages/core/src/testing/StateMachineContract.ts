/**
 * What every state machine must keep, as cases to run against yours.
 *
 * Raft assumes of a machine that equal commands make equal copies, and that a snapshot stands for the
 * commands before it. Where that is broken nothing fails at once: the copies drift apart, or a node
 * comes back from a restart with another state than it had. The cases show it in a test instead.
 *
 * ```ts
 * for (const { name, check } of StateMachineContract.cases) {
 *   it.prop(name, [StateMachineContract.commands(CounterCommand)], ([commands]) =>
 *     check(Counter.machine, commands))
 * }
 * ```
 *
 * States are compared by their snapshots, commands and replies by their encoded bytes.
 */
import * as Arbitrary from "effect/Arbitrary"
import type * as Schema from "effect/Schema"
import type { LogIndex } from "../LogIndex.ts"
import { restoreFrom } from "../StateMachine.ts"
import type { ApplyMeta, Instance, StateMachine } from "../StateMachine.ts"
import type { Term } from "../Term.ts"

/** One claim. `check` throws a {@link ContractViolation} where the machine does not keep it. */
export interface Case {
  readonly name: string
  readonly check: <Command, Reply, View>(
    machine: StateMachine<Command, Reply, View>,
    commands: ReadonlyArray<Command>
  ) => void
}

/** The machine broke a claim of the contract. */
export class ContractViolation extends Error {
  override readonly name = "ContractViolation"
}

/** Runs of commands drawn from the schema of one. */
export const commands = <Command>(
  command: Schema.ConstraintCodec<Command, unknown>,
  options?: { readonly maxLength?: number }
): Arbitrary.Arbitrary<Array<Command>> =>
  Arbitrary.array(Arbitrary.schema(command), { maxLength: options?.maxLength ?? 40 })

/** The meta of the `position`th command: what one leader would write, some milliseconds apart. */
export const metaAt = (position: number): ApplyMeta => ({
  index: (position + 1) as LogIndex,
  term: 1 as Term,
  timestampMillis: 1_700_000_000_000 + position * 7,
  machineVersion: 0
})

/** The claims, in the order in which they are worth reading. */
export const cases: ReadonlyArray<Case> = [
  {
    name: "a command is the same after encoding and decoding",
    check: (machine, commands) => {
      for (const command of commands) {
        const bytes = machine.command.encode(command)
        expectSame(
          machine.command.encode(machine.command.decode(bytes.slice())),
          bytes,
          "the command's bytes"
        )
      }
    }
  },
  {
    name: "a reply is the same after encoding and decoding",
    check: (machine, commands) => {
      for (const bytes of repliesOf(machine, machine.make(), commands, 0)) {
        expectSame(machine.reply.encode(machine.reply.decode(bytes.slice())), bytes, "the reply's bytes")
      }
    }
  },
  {
    name: "two copies that apply the same commands agree in replies and state",
    check: (machine, commands) => {
      const [one, other] = [machine.make(), machine.make()]
      expectSameAll(repliesOf(machine, one, commands, 0), repliesOf(machine, other, commands, 0), "replies")
      expectSame(stateOf(one), stateOf(other), "the states of two copies")
    }
  },
  {
    name: "applying a command does not depend on its bytes afterwards",
    check: (machine, commands) => {
      const [kept, overwritten] = [machine.make(), machine.make()]
      repliesOf(machine, kept, commands, 0)
      commands.forEach((command, position) => {
        const bytes = machine.command.encode(command).slice()
        overwritten.apply(machine.command.decode(bytes), metaAt(position))
        bytes.fill(0xee)
      })
      expectSame(stateOf(overwritten), stateOf(kept), "the state after the commands' bytes were overwritten")
    }
  },
  {
    name: "a restored copy goes on as the original does",
    check: (machine, commands) => {
      const half = Math.floor(commands.length / 2)
      const [original, restored] = [machine.make(), machine.make()]
      repliesOf(machine, original, commands.slice(0, half), 0)
      restoreFrom(restored, original.snapshot())
      expectSame(stateOf(restored), stateOf(original), "the restored state")
      expectSameAll(
        repliesOf(machine, restored, commands.slice(half), half),
        repliesOf(machine, original, commands.slice(half), half),
        "replies after the snapshot"
      )
      expectSame(stateOf(restored), stateOf(original), "the state after both went on")
    }
  },
  {
    name: "a snapshot is not changed by later commands, however late it is read",
    check: (machine, commands) => {
      const half = Math.floor(commands.length / 2)
      const instance = machine.make()
      repliesOf(machine, instance, commands.slice(0, half), 0)
      const then = stateOf(instance)
      const snapshot = instance.snapshot()
      repliesOf(machine, instance, commands.slice(half), half)
      expectSame(concat(snapshot), then, "a snapshot read after later commands")
    }
  },
  {
    name: "a snapshot that is being read is not changed by commands in between",
    check: (machine, commands) => {
      const half = Math.floor(commands.length / 2)
      const instance = machine.make()
      repliesOf(machine, instance, commands.slice(0, half), 0)
      const then = stateOf(instance)
      const pieces: Array<Uint8Array> = []
      let position = half
      for (const piece of instance.snapshot()) {
        pieces.push(piece.slice())
        if (position < commands.length) instance.apply(commands[position]!, metaAt(position++))
      }
      expectSame(concat(pieces), then, "a snapshot read between commands")
    }
  },
  {
    name: "restoring replaces the state and does not add to it",
    check: (machine, commands) => {
      const [full, empty] = [machine.make(), machine.make()]
      repliesOf(machine, full, commands, 0)
      restoreFrom(full, empty.snapshot())
      expectSame(stateOf(full), stateOf(empty), "the state after restoring an empty one")
    }
  },
  {
    name: "a state that is being restored is not seen before it is whole",
    check: (machine, commands) => {
      const half = Math.floor(commands.length / 2)
      const [original, going, quiet] = [machine.make(), machine.make(), machine.make()]
      repliesOf(machine, original, commands, 0)
      const restoring = going.restore(0)
      for (const piece of original.snapshot()) restoring.add(piece)
      repliesOf(machine, going, commands.slice(0, half), 0)
      repliesOf(machine, quiet, commands.slice(0, half), 0)
      expectSame(stateOf(going), stateOf(quiet), "the state while another is restored")
      restoring.finish()
      expectSame(stateOf(going), stateOf(original), "the restored state")
    }
  },
  {
    name: "a snapshot may be cut into other pieces before it is restored",
    check: (machine, commands) => {
      const [original, restored] = [machine.make(), machine.make()]
      repliesOf(machine, original, commands, 0)
      const bytes = stateOf(original)
      restoreFrom(
        restored,
        Array.from(bytes, (byte) => Uint8Array.of(byte))
      )
      expectSame(stateOf(restored), bytes, "the state restored byte by byte")
    }
  }
]

const repliesOf = <Command, Reply, View>(
  machine: StateMachine<Command, Reply, View>,
  instance: Instance<Command, Reply, View>,
  commands: ReadonlyArray<Command>,
  from: number
): Array<Uint8Array> =>
  commands.map((command, position) =>
    machine.reply.encode(instance.apply(command, metaAt(from + position))).slice()
  )

const stateOf = <Command, Reply, View>(instance: Instance<Command, Reply, View>): Uint8Array =>
  concat(instance.snapshot())

const concat = (pieces: Iterable<Uint8Array>): Uint8Array => {
  const bytes: Array<number> = []
  for (const piece of pieces) for (const byte of piece) bytes.push(byte)
  return Uint8Array.from(bytes)
}

const expectSameAll = (
  actual: ReadonlyArray<Uint8Array>,
  expected: ReadonlyArray<Uint8Array>,
  what: string
): void => {
  actual.forEach((bytes, position) => expectSame(bytes, expected[position]!, `${what}, number ${position}`))
}

const expectSame = (actual: Uint8Array, expected: Uint8Array, what: string): void => {
  const same = actual.byteLength === expected.byteLength && actual.every((byte, at) => byte === expected[at])
  if (!same) throw new ContractViolation(`${what} differ: [${preview(actual)}] is not [${preview(expected)}]`)
}

const preview = (bytes: Uint8Array): string =>
  bytes.byteLength <= 64
    ? bytes.join(" ")
    : `${bytes.subarray(0, 64).join(" ")} … (${bytes.byteLength} bytes)`
