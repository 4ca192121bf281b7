/**
 * `raft://HOST:PORT`, or `raft://HOST:PORT/CLUSTER`: a node's port for native clients, as the commands take it.
 */
import * as KvClient from "@effect-raft/kv/KvClient"
import type { Kv } from "@effect-raft/kv/Kv"
import * as Address from "@effect-raft/transport-tcp/Address"
import * as TcpClientTransport from "@effect-raft/transport-tcp/TcpClientTransport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type CommandFailed, misuse } from "./ExitCode.ts"
import * as TlsFlags from "./TlsFlags.ts"

const pattern = /^raft:\/\/([^/]+)(?:\/([A-Za-z0-9][A-Za-z0-9._-]{0,63}))?\/?$/

/** Whether a text is such an endpoint. */
export const is = (text: string): boolean => parse(text) !== undefined

const parse = (text: string): { readonly address: string; readonly cluster: string } | undefined => {
  const [, address = "", cluster = "effect-raft"] = pattern.exec(text) ?? []
  return typeof Address.parse(address) === "string" ? undefined : { address, cluster }
}

/** The store behind these endpoints, in plain text unless the flags name a certificate. */
export const layer = (options: {
  readonly endpoints: ReadonlyArray<string>
  readonly timeoutMillis?: number | undefined
  readonly tls?: TlsFlags.Flags | undefined
}): Layer.Layer<Kv, CommandFailed> => {
  const parsed = options.endpoints.map(parse).filter((endpoint) => endpoint !== undefined)
  const clusters = new Set(parsed.map(({ cluster }) => cluster))
  const [clusterId] = clusters
  if (clusterId === undefined || clusters.size > 1) {
    return Layer.effectContext(Effect.fail(misuse("all endpoints must be of one cluster")))
  }
  return KvClient.layerNative({
    endpoints: parsed.map(({ address }) => address),
    clusterId,
    ...(options.timeoutMillis === undefined ? {} : { timeoutMillis: options.timeoutMillis })
  }).pipe(
    Layer.provide(transportOf(options.tls)),
    Layer.catch((error) =>
      Layer.effectContext(Effect.fail(error._tag === "CommandFailed" ? error : misuse(error.message)))
    )
  )
}

const transportOf = (flags: TlsFlags.Flags | undefined) =>
  flags === undefined
    ? plain
    : Layer.unwrap(
        Effect.map(TlsFlags.requireFiles(flags), (tls) =>
          tls === undefined ? plain : TcpClientTransport.layerTls({ tls })
        )
      )

/** As with `http://`, who writes `raft://` and gives no certificate asks for plain text. */
const plain = TcpClientTransport.layer({ insecure: true })
