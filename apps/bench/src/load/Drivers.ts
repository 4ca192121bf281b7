/**
 * One face for the clients of all systems that are measured: a put, and a read of a given kind.
 */
import { Kv } from "@effect-raft/kv/Kv"
import * as KvClient from "@effect-raft/kv/KvClient"
import * as KvRemote from "@effect-raft/kv/KvRemote"
import * as TcpClientTransport from "@effect-raft/transport-tcp/TcpClientTransport"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as EtcdClient from "../etcd/EtcdClient.ts"
import { BenchFailed } from "../Scenario.ts"
import type { LoadSpec } from "./LoadSpec.ts"

export interface Driver {
  readonly put: (key: string, value: Uint8Array) => Effect.Effect<unknown, { readonly message: string }>
  /** Reads a key that was written; anything else than a value is a defect. */
  readonly get: (
    key: string,
    consistency: "linearizable" | "stale"
  ) => Effect.Effect<unknown, { readonly message: string }>
}

/** Connects as the spec says, until the scope closes. */
export const make = (spec: LoadSpec): Effect.Effect<Driver, BenchFailed, Scope.Scope> => {
  switch (spec.protocol) {
    case "etcd":
      return etcd(spec)
    case "http":
      return http(spec)
    case "native":
      return native(spec)
  }
}

const maxConnections = 8
const clientsPerConnection = 32
const timeoutMillis = 5000

const etcd = ({ clients, endpoints }: LoadSpec) =>
  Effect.map(
    EtcdClient.make({
      endpoints,
      connections: Math.min(maxConnections, Math.ceil(clients / clientsPerConnection)),
      timeoutMillis
    }),
    (client): Driver => ({
      put: client.put,
      get: (key, consistency) =>
        Effect.flatMap(client.get(key, { serializable: consistency === "stale" }), (count) =>
          count > 0 ? Effect.void : missing
        )
    })
  )

const http = ({ endpoints }: LoadSpec) =>
  overKv(
    KvClient.layer({ endpoints: endpoints.map((endpoint) => `http://${endpoint}`) }).pipe(
      Layer.provide(NodeHttpClient.layerUndici)
    )
  )

const native = ({ connections = 1, endpoints, queryAt }: LoadSpec) =>
  Effect.map(
    Effect.all(
      Array.from({ length: connections }, () =>
        overKv(KvRemote.layer({ endpoints, queryAt }).pipe(Layer.provide(TcpClientTransport.layer())))
      ),
      { concurrency: 64 }
    ),
    inRotation
  )

const inRotation = (drivers: ReadonlyArray<Driver>): Driver => {
  if (drivers.length === 1) return drivers[0]!
  let count = 0
  const next = () => drivers[count++ % drivers.length]!
  return {
    put: (key, value) => next().put(key, value),
    get: (key, consistency) => next().get(key, consistency)
  }
}

const overKv = (layer: Layer.Layer<Kv, { readonly message: string }>) =>
  Layer.build(layer).pipe(
    Effect.flatMap((context) => Effect.provide(Kv, context)),
    Effect.map(ofKv),
    Effect.mapError((error) => new BenchFailed({ message: error.message }))
  )

const ofKv = (kv: Kv["Service"]): Driver => ({
  put: kv.put,
  get: (key, consistency) =>
    Effect.flatMap(kv.get(key, { consistency }), (entry) => (Option.isSome(entry) ? Effect.void : missing))
})

const missing = Effect.die(new Error("A key that was written was not found"))
