/**
 * Talking to a node as `curl` does: plain requests, whole answers.
 */
import * as Effect from "effect/Effect"

export interface Answer {
  readonly status: number
  readonly bytes: Buffer
  readonly text: string
  readonly etag: string | null
}

/** One request. Fails when there is no answer within `timeoutMillis`. */
export const request = (
  method: "GET" | "PUT" | "DELETE",
  url: string,
  options: { readonly body?: Uint8Array<ArrayBuffer> | string; readonly timeoutMillis?: number } = {}
): Effect.Effect<Answer, Error> =>
  Effect.tryPromise({
    try: async () => {
      const response = await fetch(url, {
        method,
        signal: AbortSignal.timeout(options.timeoutMillis ?? 5_000),
        ...(options.body === undefined ? {} : { body: options.body })
      })
      const bytes = Buffer.from(await response.arrayBuffer())
      const etag = response.headers.get("etag")
      return { status: response.status, bytes, text: bytes.toString("utf8"), etag }
    },
    catch: (error) => new Error(`${method} ${url} had no answer: ${String(error)}`)
  })
