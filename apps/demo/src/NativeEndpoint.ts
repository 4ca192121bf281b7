/**
 * The store behind `raft://` endpoints.
 */
import * as KvClient from "@effect-raft/kv/KvClient"
import type { Kv } from "@effect-raft/kv/Kv"
import * as TcpClientTransport from "@effect-raft/transport-tcp/TcpClientTransport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type CommandFailed, misuse } from "./ExitCode.ts"
import * as NativeAddress from "./NativeAddress.ts"
import * as TlsFlags from "./TlsFlags.ts"

/** The store behind these endpoints, in plain text unless the flags name a certificate. */
export const layer = (options: {
  readonly endpoints: ReadonlyArray<string>
  readonly timeoutMillis?: number | undefined
  readonly tls?: TlsFlags.Flags | undefined
}): Layer.Layer<Kv, CommandFailed> => {
  const parsed = options.endpoints.map(NativeAddress.parse).filter((endpoint) => endpoint !== undefined)
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
