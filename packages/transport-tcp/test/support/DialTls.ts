/** Callers by TLS that are no nodes. */
import type { Files } from "@effect-raft/test-certificates/Authority"
import * as Effect from "effect/Effect"
import * as NodeFs from "node:fs"
import * as Tls from "node:tls"
import { portOf } from "./Peers.ts"

/** A caller by TLS who does not care who answers, and what it is told until the other end closes. */
export const dialTls = (address: string, files?: Files) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly socket: Tls.TLSSocket; readonly said: Effect.Effect<Buffer> }>((resume) => {
      const socket = Tls.connect({
        host: "127.0.0.1",
        port: portOf(address),
        rejectUnauthorized: false,
        ...(files === undefined
          ? {}
          : { cert: NodeFs.readFileSync(files.certificateFile), key: NodeFs.readFileSync(files.keyFile) })
      })
      const chunks: Array<Buffer> = []
      socket.on("data", (chunk: Buffer) => chunks.push(chunk))
      socket.on("error", () => socket.destroy())
      const said = Effect.callback<Buffer>((ended) => {
        const done = () => ended(Effect.succeed(Buffer.concat(chunks)))
        if (socket.closed) done()
        else socket.once("close", done)
      })
      socket.once("secureConnect", () => {
        resume(Effect.succeed({ socket, said }))
      })
    }),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )
