/**
 * The HTTP server for clients with certificates: who is let in, and what the others are told.
 */
import { assert, describe, it } from "@effect/vitest"
import { Authority } from "@effect-raft/test-certificates/Authority"
import type { Files } from "@effect-raft/test-certificates/Authority"
import * as SecureHttpServer from "@effect-raft/transport-tcp/SecureHttpServer"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as NodeFs from "node:fs"
import type * as Http from "node:http"
import * as Https from "node:https"
import type * as Net from "node:net"
import { captureLog, dialRaw, logged } from "./support/Peers.ts"
import * as Sites from "./support/Sites.ts"

const authority = new Authority()
const hourMillis = 3_600_000

/** A server that answers "welcome", how often it did, and what was logged. */
const start = Effect.gen(function* () {
  const { layer, lines } = yield* captureLog
  const directory = yield* Sites.temporaryDirectory
  const createServer = yield* SecureHttpServer.make(authority.issue(directory, { name: "n1" })).pipe(
    Effect.provide(layer)
  )
  const server = createServer()
  let served = 0
  server.on("request", (_request, response) => {
    served++
    response.end("welcome")
  })
  yield* listening(server)
  const { port } = server.address() as Net.AddressInfo
  const issue = (wanted: Parameters<Authority["issue"]>[1]) => authority.issue(directory, wanted)
  return { directory, issue, lines, port, address: `127.0.0.1:${port}`, server, served: () => served }
})

const listening = (server: Http.Server) =>
  Effect.acquireRelease(
    Effect.callback<void>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.void))
    }),
    () => closing(server)
  )

const closing = (server: Http.Server) =>
  Effect.callback<void>((resume) => {
    server.close(() => resume(Effect.void))
  })

interface Answer {
  readonly status: number | undefined
  readonly text: string
}

/** One request over a connection of its own; without `trusts` the server's certificate is not looked at. */
const ask = (port: number, files: Files | undefined, trusts?: string): Effect.Effect<Answer> =>
  Effect.callback((resume) => {
    const request = Https.get(
      {
        host: "127.0.0.1",
        port,
        agent: false,
        ...(trusts === undefined ? { rejectUnauthorized: false } : { ca: NodeFs.readFileSync(trusts) }),
        ...(files === undefined
          ? {}
          : { cert: NodeFs.readFileSync(files.certificateFile), key: NodeFs.readFileSync(files.keyFile) })
      },
      (response) => {
        let text = ""
        response.setEncoding("utf8").on("data", (part: string) => (text += part))
        response.on("end", () => resume(Effect.succeed({ status: response.statusCode, text })))
      }
    )
    request.on("error", (error) => resume(Effect.succeed({ status: undefined, text: error.message })))
    return Effect.sync(() => request.destroy())
  })

describe("a server for clients with certificates", () => {
  it.live("serves who has the right one", () =>
    Effect.gen(function* () {
      const { issue, port, served } = yield* start
      const files = issue({ name: "someone" })
      for (let round = 0; round < 3; round++) {
        assert.deepStrictEqual(yield* ask(port, files), { status: 200, text: "welcome" })
      }
      assert.strictEqual(served(), 3)
    })
  )

  const others = [
    { name: "no certificate", wanted: undefined, reason: /it shows no certificate/ },
    {
      name: "an expired certificate",
      wanted: { name: "late", fromMillis: -2 * hourMillis, toMillis: -hourMillis },
      reason: /CN=late.* has expired/
    },
    {
      name: "a certificate of another authority",
      wanted: { name: "stranger" },
      signer: new Authority("another authority"),
      reason: /CN=stranger.* signed by an authority that is not known here: CN=another authority/
    }
  ]
  for (const { name, reason, signer, wanted } of others) {
    it.live(`tells who has ${name} why it is refused, logs it, and shows its request to nobody`, () =>
      Effect.gen(function* () {
        const { directory, lines, port, served } = yield* start
        const files = wanted === undefined ? undefined : (signer ?? authority).issue(directory, wanted)
        const { status, text } = yield* ask(port, files)
        assert.strictEqual(status, 403)
        assert.match(text, /"error":"ClientRefused".*"outcome":"none"/)
        assert.match(text, reason)
        assert.match(yield* logged(lines, /^Warn: Refused a client at 127\.0\.0\.1: /), reason)
        assert.strictEqual(served(), 0)
      })
    )
  }

  it.live("tells its operator of a client that goes when it has seen the certificate", () =>
    Effect.gen(function* () {
      const { directory, issue, lines, port, served } = yield* start
      const { authorityFile } = new Authority("another authority").issue(directory, { name: "other" })
      const { text } = yield* ask(port, issue({ name: "someone" }), authorityFile)
      assert.match(text, /unable to verify|self-signed certificate/)
      yield* logged(
        lines,
        /^Warn: A client at 127\.0\.0\.1 was not let in: .*it may not trust the certificate of this one/
      )
      assert.strictEqual(served(), 0)
    })
  )

  it.live("tells who speaks plain text, and logs it", () =>
    Effect.gen(function* () {
      const { address, lines, served } = yield* start
      const request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
      const answer = yield* Effect.flatMap(dialRaw(address, Buffer.from(request)), ({ closed }) => closed)
      assert.match(answer.toString("latin1"), /^HTTP\/1\.1 400 [^]*it speaks plain text/)
      yield* logged(lines, /^Warn: Refused a client at 127\.0\.0\.1: it speaks plain text/)
      assert.strictEqual(served(), 0)
    })
  )

  it.effect("lets go who does not finish the handshake", () =>
    Effect.gen(function* () {
      const { address, lines, server } = yield* start
      const callers = yield* Effect.forEach([Buffer.alloc(0), Buffer.from([0x16, 3, 1])], (bytes) =>
        dialRaw(address, bytes)
      )
      yield* connections(server, callers.length)
      yield* TestClock.adjust(SecureHttpServer.handshakeMillis)
      yield* Effect.forEach(callers, ({ closed }) => closed)
      yield* logged(lines, /was not let in: it did not finish the TLS handshake in 5000 ms/)
    })
  )

  it.live("closes at once, whoever is half-way in", () =>
    Effect.gen(function* () {
      const { address, server } = yield* start
      const caller = yield* dialRaw(address, Buffer.from([0x16, 3, 1]))
      yield* connections(server, 1)
      yield* closing(server)
      yield* caller.closed
    }).pipe(Effect.timeout("4 seconds"))
  )
})

/** Waits until so many have connected. */
const connections = (server: Http.Server, wanted: number) =>
  Effect.repeat(
    Effect.andThen(
      Effect.yieldNow,
      Effect.callback<number>((resume) => {
        server.getConnections((_error, count) => resume(Effect.succeed(count)))
      })
    ),
    { until: (count) => count >= wanted }
  )
