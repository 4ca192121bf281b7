/**
 * The key-value machine and its binary forms: what it answers, against a plain Map; the contract of
 * every machine; and what the codecs refuse.
 */
import * as StateMachine from "@effect-raft/core/StateMachine"
import * as StateMachineContract from "@effect-raft/core/testing/StateMachineContract"
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import * as KvCommand from "../src/KvCommand.ts"
import * as KvKey from "../src/KvKey.ts"
import { KvMachine } from "../src/KvMachine.ts"
import type { KvView } from "../src/KvMachine.ts"
import * as KvSnapshot from "../src/KvSnapshot.ts"
import { PagedValues } from "../src/PagedValues.ts"

const { machine } = KvMachine
const bytes = (text: string) => new TextEncoder().encode(text)
const plain = (stored: ReturnType<KvView["get"]>) =>
  stored === undefined ? undefined : { value: stored.value, revision: stored.revision }

// A few keys and low revisions, so that conditions hold now and then.
const FewKeys = Schema.Literals(["a", "b", "a/b", "ключ", "\u{1F511}"])
const Revision = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 12 }))
const IfMatch = Schema.TaggedStruct("IfMatch", { revision: Revision })
const Value = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 })))
const Sketch = Schema.Union([
  Schema.Struct({ op: Schema.Literal("Put"), key: FewKeys, value: Value }),
  Schema.Struct({
    op: Schema.Literal("Put"),
    key: FewKeys,
    value: Value,
    condition: Schema.Union([KvCommand.IfAbsent, IfMatch])
  }),
  Schema.Struct({ op: Schema.Literal("Delete"), key: FewKeys }),
  Schema.Struct({ op: Schema.Literal("Delete"), key: FewKeys, condition: IfMatch })
])

const command = Arbitrary.map(Arbitrary.schema(Sketch), (sketch): KvCommand.KvCommand =>
  sketch.op === "Put"
    ? {
        _tag: "Put",
        key: sketch.key,
        value: Uint8Array.from(sketch.value),
        ...("condition" in sketch ? { condition: sketch.condition } : {})
      }
    : {
        _tag: "Delete",
        key: sketch.key,
        ...("condition" in sketch ? { condition: sketch.condition } : {})
      }
)
const commands = Arbitrary.array(command, { maxLength: 40 })

/** The machine in the fewest words: what it must answer. */
const model = () => {
  const map = new Map<string, { readonly value: Uint8Array; readonly revision: number }>()
  const apply = (command: KvCommand.KvCommand, index: number): KvCommand.KvReply => {
    const present = map.get(command.key)
    const fails =
      (command.condition?._tag === "IfAbsent" && present !== undefined) ||
      (command.condition?._tag === "IfMatch" && present?.revision !== command.condition.revision)
    if (fails) return { _tag: "ConditionFailed", revision: present?.revision ?? null }
    if (command._tag === "Delete") return { _tag: "Deleted", deleted: map.delete(command.key) }
    map.set(command.key, { value: command.value, revision: index })
    return { _tag: "Written", revision: index }
  }
  return { map, apply }
}

describe("the machine's contract", () => {
  for (const { name, check } of StateMachineContract.cases) {
    it.prop(name, [commands], ([commands]) => check(machine, commands))
  }
})

describe("the machine", () => {
  it.prop("answers as a plain map does", [commands], ([commands]) => {
    const instance = machine.make()
    const { apply, map } = model()
    commands.forEach((command, position) => {
      const meta = StateMachineContract.metaAt(position)
      assert.deepStrictEqual(instance.apply(command, meta), apply(command, meta.index))
    })
    assert.strictEqual(instance.view().size, map.size)
    for (const [key, stored] of map) assert.deepStrictEqual(plain(instance.view().get(key)), stored)
  })

  it("a key's revision is the log index of its last write", () => {
    const instance = machine.make()
    const put = (key: string, position: number) =>
      instance.apply({ _tag: "Put", key, value: bytes("v") }, StateMachineContract.metaAt(position))
    put("a", 4)
    put("b", 6)
    put("a", 9)
    assert.strictEqual(instance.view().get("a")?.revision, 10)
    assert.strictEqual(instance.view().get("b")?.revision, 7)
  })

  it("a failed condition changes nothing and tells what is there", () => {
    const instance = machine.make()
    const apply = (command: KvCommand.KvCommand, position: number) =>
      instance.apply(command, StateMachineContract.metaAt(position))
    apply({ _tag: "Put", key: "a", value: bytes("first") }, 0)
    const late = { _tag: "Put", key: "a", value: bytes("late") } as const
    assert.deepStrictEqual(apply({ ...late, condition: { _tag: "IfAbsent" } }, 1), {
      _tag: "ConditionFailed",
      revision: 1
    })
    assert.deepStrictEqual(apply({ ...late, condition: { _tag: "IfMatch", revision: 9 } }, 2), {
      _tag: "ConditionFailed",
      revision: 1
    })
    assert.deepStrictEqual(apply({ ...late, key: "b", condition: { _tag: "IfMatch", revision: 1 } }, 3), {
      _tag: "ConditionFailed",
      revision: null
    })
    assert.deepStrictEqual(plain(instance.view().get("a")), { value: bytes("first"), revision: 1 })
  })

  it("keeps no part of a Node Buffer that a command was read from", () => {
    const instance = machine.make()
    const payload = Buffer.from(machine.command.encode({ _tag: "Put", key: "a", value: bytes("kept") }))
    instance.apply(machine.command.decode(payload), StateMachineContract.metaAt(0))
    payload.fill(0)
    assert.deepStrictEqual(instance.view().get("a")?.value, bytes("kept"))
  })

  it("the pieces of a snapshot are bounded, and a value larger than a piece survives", () => {
    const instance = machine.make()
    const large = Uint8Array.from({ length: 2 * KvSnapshot.maxPieceBytes + 17 }, (_, at) => at % 251)
    instance.apply({ _tag: "Put", key: "large", value: large }, StateMachineContract.metaAt(0))
    instance.apply({ _tag: "Put", key: "small", value: bytes("x") }, StateMachineContract.metaAt(1))
    const pieces = Array.from(instance.snapshot())
    assert.isAbove(pieces.length, 2)
    for (const piece of pieces) assert.isAtMost(piece.byteLength, KvSnapshot.maxPieceBytes)
    const restored = machine.make()
    StateMachine.restoreFrom(restored, pieces)
    assert.deepStrictEqual(plain(restored.view().get("large")), { value: large, revision: 1 })
    assert.deepStrictEqual(plain(restored.view().get("small")), { value: bytes("x"), revision: 2 })
  })

  it.each(Array.from({ length: 28 }, (_, left) => left))(
    "a record that leaves %i bytes of its piece survives, and so does what follows it",
    (left) => {
      // Lengths, revision and key take 15 bytes.
      const value = new Uint8Array(KvSnapshot.maxPieceBytes - 15 - left).fill(left)
      const instance = machine.make()
      for (const [position, key] of ["a", "b"].entries()) {
        instance.apply({ _tag: "Put", key, value }, StateMachineContract.metaAt(position))
        const pieces = Array.from(instance.snapshot())
        for (const piece of pieces) assert.isAtMost(piece.byteLength, KvSnapshot.maxPieceBytes)
        const restored = machine.make()
        StateMachine.restoreFrom(restored, pieces)
        assert.strictEqual(restored.view().size, position + 1)
        assert.deepStrictEqual(plain(restored.view().get(key)), { value, revision: position + 1 })
      }
    }
  )

  it.each([
    { what: "a small state", keys: 100, valueBytes: 100 },
    { what: "one of many keys", keys: 5000, valueBytes: 10 },
    { what: "one of many bytes", keys: 100, valueBytes: 20_000 }
  ])(
    "a snapshot of $what is of its moment, however late its pieces are asked for",
    ({ keys, valueBytes }) => {
      const instance = machine.make()
      const write = (key: number, position: number) =>
        instance.apply(
          { _tag: "Put", key: `k${key}`, value: new Uint8Array(valueBytes).fill(position % 251) },
          StateMachineContract.metaAt(position)
        )
      for (let key = 0; key < keys; key++) write(key, key)
      const before = Array.from(instance.snapshot())
      const taken = instance.snapshot()
      for (let key = 0; key < keys; key += 2) write(key, keys + key)
      instance.apply({ _tag: "Delete", key: "k1" }, StateMachineContract.metaAt(2 * keys))
      const pieces = Array.from(taken)
      assert.isTrue(Buffer.concat(pieces).equals(Buffer.concat(before)))
      const restored = machine.make()
      StateMachine.restoreFrom(restored, pieces)
      assert.strictEqual(restored.view().get("k0")?.revision, 1)
      assert.strictEqual(restored.view().size, keys)
    }
  )

  it("a snapshot of many keys is read once, and says so", () => {
    const instance = machine.make()
    for (let key = 0; key < 3000; key++) {
      const command = { _tag: "Put", key: `k${key}`, value: new Uint8Array(8) } as const
      instance.apply(command, StateMachineContract.metaAt(key))
    }
    const taken = instance.snapshot()
    assert.isNotEmpty(Array.from(taken))
    assert.throws(() => Array.from(taken), "A snapshot is read once")
  })

  it("a small state is encoded at once, and no more of a larger one than would hold up the event loop", () => {
    const encodeSmall = (keys: number, valueBytes: number) => {
      const values = new PagedValues()
      for (let key = 0; key < keys; key++) values.put(`k${key}`, new Uint8Array(valueBytes), key + 1)
      const pieces = KvSnapshot.encodeSmall(values.present())
      if (pieces === undefined) return undefined
      const asked = Array.from(KvSnapshot.encode(values.fork()))
      assert.isTrue(Buffer.concat(pieces).equals(Buffer.concat(asked)))
      return pieces.length
    }
    assert.strictEqual(encodeSmall(0, 0), 1)
    assert.deepStrictEqual([encodeSmall(2048, 256), encodeSmall(2049, 256)], [3, undefined])
    assert.deepStrictEqual([encodeSmall(8, 128 * 1024), encodeSmall(8, 128 * 1024 + 1)], [5, undefined])
  })

  it("a snapshot that is cut off anywhere, or has something behind it, is refused and leaves the state alone", () => {
    const original = machine.make()
    original.apply({ _tag: "Put", key: "a", value: bytes("value") }, StateMachineContract.metaAt(0))
    const whole = Array.from(original.snapshot())[0]!
    const instance = machine.make()
    instance.apply({ _tag: "Put", key: "own", value: bytes("mine") }, StateMachineContract.metaAt(0))
    for (let length = 0; length < whole.byteLength; length++) {
      assert.throws(() => StateMachine.restoreFrom(instance, [whole.subarray(0, length)]), Schema.SchemaError)
    }
    assert.throws(() => StateMachine.restoreFrom(instance, [whole, whole]), Schema.SchemaError)
    assert.strictEqual(instance.view().get("own")?.revision, 1)
    assert.strictEqual(instance.view().size, 1)
  })
})

describe("the codecs", () => {
  it.prop("every command survives", [command], ([command]) => {
    assert.deepStrictEqual(KvCommand.commandCodec.decode(KvCommand.commandCodec.encode(command)), command)
  })

  it.prop("every reply survives", [KvCommand.KvReply], ([reply]) => {
    assert.deepStrictEqual(KvCommand.replyCodec.decode(KvCommand.replyCodec.encode(reply)), reply)
  })

  it.prop(
    "bytes from anywhere are a command or a SchemaError",
    [Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 })))],
    ([noise]) => {
      for (const codec of [KvCommand.commandCodec, KvCommand.replyCodec]) {
        try {
          codec.decode(Uint8Array.from(noise))
        } catch (error) {
          assert.instanceOf(error, Schema.SchemaError)
        }
      }
    }
  )

  it.prop("a command that is cut off in its key is refused", [command], ([command]) => {
    const encoded = KvCommand.commandCodec.encode(command)
    const keyEnd = 12 + bytes(command.key).byteLength
    for (let length = 0; length < keyEnd; length++) {
      assert.throws(() => KvCommand.commandCodec.decode(encoded.subarray(0, length)), Schema.SchemaError)
    }
  })

  it("a command takes no more than the stated overhead beyond its value", () => {
    const key = "k".repeat(KvKey.maxKeyBytes)
    const encoded = KvCommand.commandCodec.encode({
      _tag: "Put",
      key,
      value: new Uint8Array(100),
      condition: { _tag: "IfMatch", revision: Number.MAX_SAFE_INTEGER }
    })
    assert.strictEqual(encoded.byteLength, 100 + KvCommand.maxOverheadBytes)
  })

  it("a value is given as a view, not copied", () => {
    const encoded = KvCommand.commandCodec.encode({ _tag: "Put", key: "a", value: bytes("view") })
    const decoded = KvCommand.commandCodec.decode(encoded)
    assert.isTrue(decoded._tag === "Put" && decoded.value.buffer === encoded.buffer)
  })
})

describe("keys", () => {
  it.each(["a", "a/b", "../a", " ", "\n", "\uFEFFbom", "ключ", "k".repeat(1024), "é".repeat(512)])(
    "%j is a key",
    (key) => {
      assert.isUndefined(KvKey.problemWith(key))
      const decoded = KvCommand.commandCodec.decode(KvCommand.commandCodec.encode({ _tag: "Delete", key }))
      assert.strictEqual(decoded.key, key)
    }
  )

  it.each(["", ".", "..", "\uD800", "k".repeat(1025), "é".repeat(513), "x".repeat(1023) + "é"])(
    "%j is none",
    (key) => {
      assert.isString(KvKey.problemWith(key))
      assert.throws(() => KvCommand.commandCodec.encode({ _tag: "Delete", key }), Schema.SchemaError)
    }
  )
})
