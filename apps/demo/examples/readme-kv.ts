import { Effect, Layer } from "effect"
import { FetchHttpClient } from "effect/http"
import { NodeHttpServer } from "@effect/platform-node"
import { Raft } from "@effect-raft/core"
import { Kv, putText } from "@effect-raft/kv/Kv"
import * as KvClient from "@effect-raft/kv/KvClient"
import { KvMachine } from "@effect-raft/kv/KvMachine"
import * as KvServer from "@effect-raft/kv/KvServer"
import { createServer } from "node:http"

// On a node: the store and its HTTP API. A transport and a storage are provided as to every node.
export const node = (nodeId: string, members: Readonly<Record<string, string>>, port: number) => {
  const url = `http://127.0.0.1:${port}`
  return KvServer.layer({ url }).pipe(
    Layer.provideMerge(Kv.layer),
    Layer.provide(Raft.layer(KvMachine, { nodeId, members, attributes: { http: url } })),
    Layer.provide(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port }))
  )
}

// Elsewhere: the same service over the network.
export const remote = (...endpoints: ReadonlyArray<string>) =>
  KvClient.layer({ endpoints }).pipe(Layer.provide(FetchHttpClient.layer))

// Runs with either.
export const program = Effect.gen(function* () {
  const kv = yield* Kv
  const revision = yield* putText("greeting", "hello")
  const entry = yield* kv.get("greeting") // Option<{ value: Uint8Array, revision: number }>
  const value = new TextEncoder().encode("hallo")
  const result = yield* kv.compareAndSet("greeting", { expected: revision, value })
  return { revision, entry, result }
})
