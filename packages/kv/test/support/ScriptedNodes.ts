/** Nodes that answer by a script, and the answers that nodes give. */
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"

export type Reply =
  | Response
  | { readonly transport: object }
  | { readonly afterMillis: number; readonly reply: () => Response }
  | "silence"

/** Nodes that answer what the script says, in the order in which they are asked. */
export const scripted = (script: ReadonlyArray<Reply>) => {
  const asked: Array<string> = []
  const client = HttpClient.make((request, url) => {
    const reply = script[asked.length]
    asked.push(`${request.method} ${url.origin}`)
    if (reply === undefined) return Effect.die(new Error("asked more often than the script says"))
    if (reply === "silence") return Effect.never
    if ("afterMillis" in reply)
      return Effect.sync(() => HttpClientResponse.fromWeb(request, reply.reply())).pipe(
        Effect.delay(reply.afterMillis)
      )
    return reply instanceof Response
      ? Effect.succeed(HttpClientResponse.fromWeb(request, reply))
      : Effect.fail(
          new HttpClientError.HttpClientError({
            reason: new HttpClientError.TransportError({ request, cause: reply.transport })
          })
        )
  })
  return { asked, layer: Layer.succeed(HttpClient.HttpClient, client) }
}

export const json = (status: number, body: object, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json", ...headers } })

export const written = (headers?: Record<string, string>): Response => json(200, { revision: 7 }, headers)
export const unavailable = (): Response =>
  json(503, { error: "Unavailable", message: "no leader", outcome: "none", reason: "NoLeader" })
export const unknown = (): Response =>
  json(504, { error: "OutcomeUnknown", message: "lost", outcome: "unknown", index: 9, term: 2 })
export const found = (): Response => new Response("value", { status: 200, headers: { etag: '"7"' } })
export const refusedConnection: Reply = {
  transport: Object.assign(new TypeError("fetch failed"), {
    cause: Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED", syscall: "connect" })
  })
}
export const brokenConnection: Reply = {
  transport: Object.assign(new TypeError("fetch failed"), {
    cause: Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET", syscall: "read" })
  })
}
