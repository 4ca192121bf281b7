import { Context, Effect, Layer, Schema } from "effect"
import { MemoryStorage, MemoryTransport, Raft, StateMachine } from "@effect-raft/core"

class Counter extends StateMachine.Service<Counter>()("app/Counter", {
  command: Schema.TaggedUnion({ Increment: { by: Schema.Int }, Reset: {} }),
  reply: Schema.Int,
  state: Schema.Int,
  initial: 0,
  apply: (total, command) => {
    const next = command._tag === "Reset" ? 0 : total + command.by
    return { state: next, reply: next }
  }
}) {}

const members = { n1: "memory:1", n2: "memory:2", n3: "memory:3" }
const node = (nodeId: string) =>
  Effect.map(Layer.build(Raft.layer(Counter, { nodeId, members })), Context.get(Counter.Raft))

const program = Effect.gen(function* () {
  const [n1, n2] = yield* Effect.all([node("n1"), node("n2"), node("n3")])
  console.log(yield* n1.propose({ _tag: "Increment", by: 2 }))
  console.log(yield* n2.read((total) => total))
})

const memory = Layer.merge(MemoryTransport.layer, MemoryStorage.layer)
await program.pipe(Effect.scoped, Effect.provide(memory), Effect.runPromise)
