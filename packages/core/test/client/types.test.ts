/**
 * The types that a program sees through `Machine.Client`.
 */
import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { RaftError } from "../../src/RaftError.ts"
import * as StateMachine from "../../src/StateMachine.ts"
import type { ClientOf } from "../../src/StateMachine.ts"
import { Tally } from "./Tally.ts"

class Silent extends StateMachine.Service<Silent>()("test/Silent", {
  command: Schema.Int,
  reply: Schema.String,
  state: Schema.Int,
  initial: 0,
  apply: (state, command) => ({ state: state + command, reply: "" })
}) {}

describe("types of clients", () => {
  it("a client is typed by its machine", () => {
    type Client = (typeof Tally.Client)["Service"]
    expectTypeOf<Parameters<Client["propose"]>>().toEqualTypeOf<[command: string]>()
    expectTypeOf<ReturnType<Client["propose"]>>().toEqualTypeOf<Effect.Effect<number, RaftError>>()
    expectTypeOf<Parameters<Client["query"]>[0]["_tag"]>().toEqualTypeOf<"Count" | "Times">()
    expectTypeOf<ReturnType<Client["query"]>>().toEqualTypeOf<Effect.Effect<number, RaftError>>()
  })

  it("a machine without queries can only be proposed to", () => {
    type Client = (typeof Silent.Client)["Service"]
    expectTypeOf<Parameters<Client["query"]>[0]>().toEqualTypeOf<never>()
    expectTypeOf<ReturnType<Client["propose"]>>().toEqualTypeOf<Effect.Effect<string, RaftError>>()
    assert.isUndefined(Silent.machine.queries)
  })

  it("a client is asked for by a name of its own", () => {
    expectTypeOf<Effect.Services<typeof Tally.Client>>().toEqualTypeOf<ClientOf<Tally>>()
    assert.strictEqual(Tally.Client.key, "test/Tally/Client")
  })
})
