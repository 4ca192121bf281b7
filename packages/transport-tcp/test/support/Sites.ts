/**
 * Nodes with certificates, each with a log of its own: a refusal has to be told on both sides.
 */
import { NodeId } from "@effect-raft/core/NodeId"
import type { TlsFiles } from "@effect-raft/transport-tcp/Credentials"
import * as TcpTransport from "@effect-raft/transport-tcp/TcpTransport"
import * as Effect from "effect/Effect"
import * as NodeFs from "node:fs"
import * as NodeOs from "node:os"
import * as NodePath from "node:path"
import { anyPort, captureLog, openNode } from "./Peers.ts"

/** A directory that is removed with the scope. */
export const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => NodeFs.mkdtempSync(NodePath.join(NodeOs.tmpdir(), "effect-raft-tls-"))),
  (directory) => Effect.sync(() => NodeFs.rmSync(directory, { recursive: true }))
)

/** Starts a node on a port of its own; without `tls` it speaks plain text. */
export const start = Effect.fnUntraced(function* (
  name: string,
  options: { readonly tls?: TlsFiles; readonly peers?: Readonly<Record<string, string>> } = {}
) {
  const { layer, lines } = yield* captureLog
  return yield* Effect.gen(function* () {
    const site = yield* TcpTransport.make({
      ...anyPort,
      ...(options.tls === undefined ? {} : { tls: options.tls })
    })
    const node = yield* openNode(site, NodeId.make(name), options.peers ?? {})
    return { ...node, address: site.address, lines }
  }).pipe(Effect.provide(layer))
})
