/**
 * How many queries leave in one write: in halves of what is under way, and nothing else does.
 */
import { assert, describe, it } from "@effect/vitest"
import { ClientEntrance } from "@effect-raft/core/ClientEntrance"
import type { ClientRequest } from "@effect-raft/core/ClientMessage"
import { defaultGroup } from "@effect-raft/core/NodeId"
import * as TcpClientServer from "@effect-raft/transport-tcp/TcpClientServer"
import * as TcpClientTransport from "@effect-raft/transport-tcp/TcpClientTransport"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { QueryPortions } from "../src/QueryPortions.ts"
import { entrance, welcome } from "./support/SilentNode.ts"

const queryOf = (id: number, consistency: "linearizable" | "stale" = "linearizable"): ClientRequest => ({
  _tag: "Query",
  id,
  consistency,
  query: new Uint8Array(4)
})

const commandOf = (id: number): ClientRequest => ({ _tag: "Propose", id, command: new Uint8Array(4) })

/** The sizes of what leaves when `count` requests are made one after the other, the rest when the turn is over. */
const portionsOf = (portions: QueryPortions, count: number, requestOf: (id: number) => ClientRequest) => {
  const left: Array<number> = []
  let waiting = 0
  for (let id = 0; id < count; id++) {
    waiting += 1
    if (portions.onQueued(requestOf(id), waiting)) {
      left.push(waiting)
      waiting = 0
    }
  }
  return waiting === 0 ? left : [...left, waiting]
}

describe("queries that are made together", () => {
  it("leave together while they are few", () => {
    assert.deepStrictEqual(portionsOf(new QueryPortions(), 16, queryOf), [16])
    assert.deepStrictEqual(portionsOf(new QueryPortions(), 31, queryOf), [31])
  })

  it("leave in halves, of which each leaves whole again when it was answered", () => {
    const portions = new QueryPortions()
    assert.deepStrictEqual(portionsOf(portions, 64, queryOf), [32, 32])
    for (let turn = 0; turn < 10; turn++) {
      portions.onAnswered(32)
      assert.deepStrictEqual(portionsOf(portions, 32, queryOf), [32])
    }
  })

  it("leave in few portions, however many they are", () => {
    const portions = new QueryPortions()
    assert.deepStrictEqual(portionsOf(portions, 1024, queryOf), [32, 32, 64, 128, 256, 512])
    portions.onAnswered(512)
    assert.deepStrictEqual(portionsOf(portions, 512, queryOf), [512])
  })

  it("leave when the turn is over where a command is among them", () => {
    const portions = new QueryPortions()
    assert.deepStrictEqual(
      portionsOf(portions, 64, (id) => (id === 5 ? commandOf(id) : queryOf(id))),
      [64]
    )
    portions.onAnswered(64)
    assert.deepStrictEqual(portionsOf(portions, 64, queryOf), [32, 32])
    assert.deepStrictEqual(portionsOf(new QueryPortions(), 1024, commandOf), [1024])
  })
})

/** Sends all within one turn; answers with the sizes of the first `count` batches in which the node gets them. */
const batchesOf = (requests: ReadonlyArray<ClientRequest>, count: number) =>
  Effect.gen(function* () {
    const batches = yield* Queue.unbounded<number>()
    const counting: ClientEntrance["Service"] = {
      ...entrance,
      admit: () => ({
        take: (batch) => void Queue.offerUnsafe(batches, batch.length),
        end: () => undefined
      })
    }
    const endpoint = yield* TcpClientServer.make({ listen: "127.0.0.1:0" }).pipe(
      Effect.provideService(ClientEntrance, counting)
    )
    const connection = yield* TcpClientTransport.make().connect({
      endpoint,
      clusterId: welcome.clusterId,
      groupId: defaultGroup,
      handler: { onAnswers: () => undefined, onLost: () => undefined }
    })
    for (const request of requests) assert.isTrue(connection.send(request))
    return yield* Queue.takeN(batches, count)
  })

describe("a client's connection", () => {
  it.live("writes queries in two halves, whatever they ask for", () =>
    Effect.gen(function* () {
      const linearizable = Array.from({ length: 64 }, (_, id) => queryOf(id))
      const stale = Array.from({ length: 64 }, (_, id) => queryOf(id, "stale"))
      assert.deepStrictEqual(yield* batchesOf(linearizable, 2), [32, 32])
      assert.deepStrictEqual(yield* batchesOf(stale, 2), [32, 32])
    })
  )

  it.live("writes commands at once", () =>
    Effect.gen(function* () {
      const commands = Array.from({ length: 64 }, (_, id) => commandOf(id))
      assert.deepStrictEqual(yield* batchesOf(commands, 1), [64])
    })
  )
})
