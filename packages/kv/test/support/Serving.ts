/** The HTTP API on a loopback port of its own. Behind it stands a single copy of the machine. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import { createServer } from "node:http"
import { Kv } from "../../src/Kv.ts"
import * as KvServer from "../../src/KvServer.ts"
import * as FakeRaft from "./FakeRaft.ts"
import * as HttpProbe from "./HttpProbe.ts"

export type Asking = (
  method: string,
  path: string,
  options?: Omit<HttpProbe.Question, "port" | "method" | "path">
) => Effect.Effect<HttpProbe.Answer>

export interface Serving {
  readonly ask: Asking
  readonly raft: FakeRaft.FakeRaft
  readonly port: number
}

/** Runs a test against a server that is there only for it. */
export const serving = <A, E>(test: (context: Serving) => Effect.Effect<A, E>) => {
  const raft = FakeRaft.make()
  return Effect.gen(function* () {
    const { address } = yield* HttpServer.HttpServer
    const port = "port" in address ? address.port : assert.fail("no TCP address")
    const ask: Asking = (method, path, options) => HttpProbe.ask({ port, method, path, ...options })
    return yield* test({ ask, raft, port })
  }).pipe(
    Effect.provide(
      KvServer.layer({ url: "http://self" }).pipe(
        Layer.provide(Kv.layer),
        Layer.provide(raft.layer),
        Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 }))
      )
    )
  )
}

/** A value with everything in it that a text may not have. */
export const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte)

/** How the members of the copy's cluster are told. */
export const members = [
  { id: "n1", address: "127.0.0.1:7001", role: "voter", http: "http://self", clients: null },
  {
    id: "n2",
    address: "127.0.0.1:7002",
    role: "voter",
    http: "http://127.0.0.1:8002",
    clients: "127.0.0.1:9002"
  }
]
