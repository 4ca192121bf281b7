/**
 * How the commands speak HTTP: as `fetch` does, and with a certificate where the flags name one.
 */
import * as Credentials from "@effect-raft/transport-tcp/Credentials"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import { type CommandFailed, fail } from "./ExitCode.ts"
import * as TlsFlags from "./TlsFlags.ts"

/** The client that these flags ask for. */
export const layer = (tls: TlsFlags.Flags | undefined): Layer.Layer<HttpClient.HttpClient, CommandFailed> =>
  tls === undefined
    ? FetchHttpClient.layer
    : Layer.unwrap(
        Effect.map(TlsFlags.requireFiles(tls), (files) =>
          files === undefined ? FetchHttpClient.layer : layerWith(files)
        )
      )

const layerWith = (files: Credentials.TlsFiles): Layer.Layer<HttpClient.HttpClient, CommandFailed> =>
  Layer.unwrap(
    Credentials.load(files).pipe(
      Effect.map(({ pem }) => NodeHttpClient.layerUndiciOptions({ connect: pem })),
      Effect.mapError(({ message }) => fail(message))
    )
  )
