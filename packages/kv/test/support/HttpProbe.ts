/**
 * A client that sends exactly what it is told: no path is tidied, no header added, no answer decoded.
 */
import * as Effect from "effect/Effect"
import * as Http from "node:http"
import * as Net from "node:net"

export interface Answer {
  readonly status: number
  readonly headers: Http.IncomingHttpHeaders
  readonly bytes: Buffer
  readonly text: string
  readonly json: unknown
}

export interface Question {
  readonly port: number
  readonly method?: string
  readonly path: string
  readonly headers?: Record<string, string>
  readonly body?: Uint8Array | string
  /** Send the body without saying how long it is. */
  readonly chunked?: boolean
}

export const ask = (question: Question): Effect.Effect<Answer> =>
  Effect.callback((resume) => {
    const request = Http.request(
      {
        host: "127.0.0.1",
        port: question.port,
        method: question.method ?? "GET",
        path: question.path,
        headers: {
          ...question.headers,
          ...(question.chunked === true ? { "transfer-encoding": "chunked" } : {})
        },
        agent: false
      },
      (response) => {
        const chunks: Array<Buffer> = []
        response.on("data", (chunk: Buffer) => chunks.push(chunk))
        response.on("end", () => {
          const bytes = Buffer.concat(chunks)
          const text = bytes.toString("utf8")
          resume(
            Effect.succeed({
              status: response.statusCode!,
              headers: response.headers,
              bytes,
              text,
              get json(): unknown {
                return JSON.parse(text) as unknown
              }
            })
          )
        })
      }
    )
    request.on("error", (error) => resume(Effect.die(error)))
    request.end(question.body)
    return Effect.sync(() => request.destroy())
  })

/** Sends raw bytes on a connection and gives what comes back until it is closed. */
export const shout = (port: number, bytes: Uint8Array | string): Effect.Effect<string> =>
  Effect.callback((resume) => {
    const socket = Net.connect({ host: "127.0.0.1", port })
    let heard = ""
    socket.on("data", (chunk) => (heard += chunk.toString("latin1")))
    socket.on("error", () => undefined)
    socket.on("close", () => resume(Effect.succeed(heard)))
    socket.write(bytes)
    return Effect.sync(() => socket.destroy())
  })
