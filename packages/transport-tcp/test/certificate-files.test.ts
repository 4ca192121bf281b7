/** The files of a node's certificate: what is wrong with them is said at the start, and renewed ones are taken up. */
import { assert, describe, it } from "@effect/vitest"
import { Authority, strangeKey } from "@effect-raft/test-certificates/Authority"
import type { Files } from "@effect-raft/test-certificates/Authority"
import * as TcpTransport from "@effect-raft/transport-tcp/TcpTransport"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as NodeFs from "node:fs"
import { dialTls } from "./support/DialTls.ts"
import { anyPort, logged } from "./support/Peers.ts"
import * as Sites from "./support/Sites.ts"

const authority = new Authority()

/** Files for node a, which is as it should be. */
const good = Effect.map(Sites.temporaryDirectory, (directory) => ({
  directory,
  tls: authority.issue(directory, { name: "a" })
}))

describe("certificate files", () => {
  const refusalOf = (tls: Files): Effect.Effect<string, never, Scope.Scope> =>
    TcpTransport.make({ ...anyPort, tls }).pipe(
      Effect.flip,
      Effect.map((error) => error.message),
      Effect.orDie
    )

  it.live("that cannot be used stop the start, by their names", () =>
    Effect.gen(function* () {
      const { directory, tls } = yield* good
      const missing = { ...tls, certificateFile: `${directory}/nowhere.crt` }
      assert.match(yield* refusalOf(missing), /nowhere\.crt cannot be read: ENOENT/)
      const noCertificate = { ...tls, authorityFile: tls.keyFile }
      assert.match(yield* refusalOf(noCertificate), /a\.key holds no certificate in PEM/)
      const noKey = { ...tls, keyFile: tls.certificateFile }
      assert.match(yield* refusalOf(noKey), /a\.crt holds no private key in PEM/)
      NodeFs.writeFileSync(tls.keyFile, strangeKey())
      assert.match(yield* refusalOf(tls), /a\.key is not the key of the certificate in .*a\.crt/)
      const old = authority.issue(directory, { name: "old", fromMillis: -9999, toMillis: -999 })
      assert.match(yield* refusalOf(old), /the certificate in .*old\.crt has expired: it was valid to/)
    })
  )

  it.live("for another node stop the start, by both names", () =>
    Effect.gen(function* () {
      const { tls } = yield* good
      const error = yield* Effect.flip(Sites.start("b", { tls }))
      assert.match(error.message, /this is node b, but the certificate in .*a\.crt names CN=a.* must be b/)
    })
  )

  it.effect("that are renewed are used for new connections; those that do not fit are not", () =>
    Effect.gen(function* () {
      const { directory, tls } = yield* good
      const one = yield* Sites.start("a", { tls })
      const serialOf = Effect.map(
        dialTls(one.address),
        ({ socket }) => socket.getPeerX509Certificate()?.serialNumber
      )
      const before = yield* serialOf
      NodeFs.writeFileSync(tls.certificateFile, "half a certific")
      yield* TestClock.adjust(10_000)
      yield* logged(one.lines, /^Warn: .*a\.crt holds no certificate.*the certificate before it stays in use/)
      assert.strictEqual(yield* serialOf, before)
      authority.issue(directory, { name: "a" })
      yield* TestClock.adjust(10_000)
      yield* logged(one.lines, /^Info: New connections use the renewed certificate \(CN=a/)
      assert.notStrictEqual(yield* serialOf, before)
    })
  )
})
