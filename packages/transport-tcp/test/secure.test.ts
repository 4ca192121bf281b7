/**
 * Certificates: who has the right one is let in, and who has not is told why, on both sides.
 *
 * `it.effect` where a certificate has expired: a node looks at its own certificate when it starts, by its
 * clock, which a test keeps in 1970; OpenSSL has the real one.
 */
import { assert, describe, it } from "@effect/vitest"
import { NodeId } from "@effect-raft/core/NodeId"
import { Authority } from "@effect-raft/test-certificates/Authority"
import * as TcpTransport from "@effect-raft/transport-tcp/TcpTransport"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as TestClock from "effect/testing/TestClock"
import * as NodeFs from "node:fs"
import {
  a,
  anyPort,
  b,
  captureLog,
  dialRaw,
  hello,
  logged,
  message,
  openNode,
  serveRaw
} from "./support/Peers.ts"
import { dialTls } from "./support/DialTls.ts"
import * as Sites from "./support/Sites.ts"

const authority = new Authority()
const otherAuthority = new Authority("another authority")

/** Files for node a, which is as it should be. */
const good = Effect.map(Sites.temporaryDirectory, (directory) => ({
  directory,
  tls: authority.issue(directory, { name: "a" })
}))

const hourMillis = 3_600_000

describe("two nodes with certificates", () => {
  it.live("talk to each other, by TLS 1.3", () =>
    Effect.gen(function* () {
      const { directory, tls } = yield* good
      const one = yield* Sites.start("a", { tls })
      const other = yield* Sites.start("b", {
        tls: authority.issue(directory, { name: "b" }),
        peers: { a: one.address }
      })
      other.send(a, message(1))
      assert.deepStrictEqual(yield* Queue.take(one.received), message(1))
      one.send(b, message(2))
      assert.deepStrictEqual(yield* Queue.take(other.received), message(2))
      const caller = yield* dialTls(one.address, tls)
      assert.strictEqual(caller.socket.getProtocol(), "TLSv1.3")
    })
  )

  it.live("may be named by the common name alone, or by one of several DNS names", () =>
    Effect.gen(function* () {
      const { directory, tls } = yield* good
      const one = yield* Sites.start("a", { tls })
      for (const wanted of [
        { name: "b", dnsNames: [] },
        { name: "some.host", dnsNames: ["b", "some.host"] }
      ]) {
        const other = yield* Sites.start("b", {
          tls: authority.issue(directory, wanted),
          peers: { a: one.address }
        })
        other.send(a, message(1))
        assert.deepStrictEqual(yield* Queue.take(one.received), message(1))
        yield* other.setPeers(new Map())
      }
    })
  )
})

describe("a caller", () => {
  const callers = [
    {
      name: "with an expired certificate",
      issue: (directory: string) =>
        authority.issue(directory, { name: "b", fromMillis: -2 * hourMillis, toMillis: -hourMillis }),
      reason: /its certificate \(CN=b, DNS:b.*\) or one above it has expired \(it is valid to /
    },
    {
      name: "with a certificate that is not valid yet",
      issue: (directory: string) =>
        authority.issue(directory, { name: "b", fromMillis: hourMillis, toMillis: 2 * hourMillis }),
      reason: /CN=b.* is not valid yet \(it is valid from /
    },
    {
      name: "whose certificate comes from another authority",
      issue: (directory: string) => {
        const files = otherAuthority.issue(directory, { name: "b" })
        NodeFs.appendFileSync(files.authorityFile, authority.pem)
        return files
      },
      reason: /CN=b.* is signed by an authority that is not known here: CN=another authority/
    },
    {
      name: "whose certificate is for servers only",
      issue: (directory: string) => authority.issue(directory, { name: "b", usages: ["serverAuth"] }),
      reason: /CN=b.* it needs both clientAuth and serverAuth/
    }
  ]
  for (const { issue, name, reason } of callers) {
    it.effect(`${name} is refused, and both nodes log the reason`, () =>
      Effect.gen(function* () {
        const { directory, tls } = yield* good
        const one = yield* Sites.start("a", { tls })
        const other = yield* Sites.start("b", { tls: issue(directory), peers: { a: one.address } })
        const here = yield* logged(one.lines, /^Warn: Refused a connection from 127/)
        assert.match(here, reason)
        const there = yield* logged(
          other.lines,
          /^Warn: a at 127\.0\.0\.1:\d+ refuses this node: the caller is not trusted/
        )
        assert.match(there, reason)
        assert.strictEqual(Queue.sizeUnsafe(one.received), 0)
      })
    )
  }

  it.live("without a certificate is refused in words", () =>
    Effect.gen(function* () {
      const { tls } = yield* good
      const one = yield* Sites.start("a", { tls })
      const caller = yield* dialTls(one.address)
      caller.socket.write(hello())
      assert.match((yield* caller.said).toString("latin1"), /is not trusted: it shows no certificate/)
      yield* logged(one.lines, /Warn: Refused .*it shows no certificate/)
    })
  )

  it.live("with the certificate of another node is refused in words", () =>
    Effect.gen(function* () {
      const { directory, tls } = yield* good
      const one = yield* Sites.start("a", { tls })
      const caller = yield* dialTls(one.address, authority.issue(directory, { name: "c" }))
      caller.socket.write(hello())
      const reason = /says that it is node b, but its certificate is not for node b: it names CN=c, DNS:c/
      assert.match((yield* caller.said).toString("latin1"), reason)
      assert.match(yield* logged(one.lines, /Warn: Refused/), reason)
    })
  )

  it.live("with a certificate that differs from its name in case only is refused", () =>
    Effect.gen(function* () {
      const { directory, tls } = yield* good
      const one = yield* Sites.start("a", { tls })
      const caller = yield* dialTls(one.address, authority.issue(directory, { name: "B" }))
      caller.socket.write(hello())
      yield* caller.said
      yield* logged(one.lines, /Warn: Refused .*not for node b: it names CN=B/)
    })
  )

  it.live("is not helped by a wildcard", () =>
    Effect.gen(function* () {
      const { directory, tls } = yield* good
      const one = yield* Sites.start("a", { tls })
      const files = authority.issue(directory, { name: "wild", dnsNames: ["*.example"] })
      const caller = yield* dialTls(one.address, files)
      caller.socket.write(hello({ from: NodeId.make("b.example") }))
      yield* caller.said
      yield* logged(one.lines, /Warn: Refused .*not for node b\.example/)
    })
  )
})

describe("who answers", () => {
  it.live("with the certificate of another node is turned away from, and both nodes log the reason", () =>
    Effect.gen(function* () {
      const { directory, tls } = yield* good
      const one = yield* Sites.start("a", { tls })
      const other = yield* Sites.start("b", {
        tls: authority.issue(directory, { name: "b" }),
        peers: { c: one.address }
      })
      const reason = /its certificate is not for node c: it names CN=a/
      assert.match(yield* logged(other.lines, /^Warn: Whoever answers for c at 127.* is not trusted/), reason)
      assert.match(
        yield* logged(one.lines, /^Warn: Refused .*node b called node c and does not trust/),
        reason
      )
    })
  )

  it.live(
    "with a certificate of an unknown authority is turned away from, and both nodes log the reason",
    () =>
      Effect.gen(function* () {
        const { directory, tls } = yield* good
        NodeFs.appendFileSync(tls.authorityFile, otherAuthority.pem)
        const one = yield* Sites.start("a", { tls })
        const other = yield* Sites.start("b", {
          tls: otherAuthority.issue(directory, { name: "b" }),
          peers: { a: one.address }
        })
        const reason = /is signed by an authority that is not known here: CN=test authority/
        assert.match(yield* logged(other.lines, /^Warn: Whoever answers for a at .* is not trusted/), reason)
        assert.match(yield* logged(one.lines, /^Warn: Refused /), reason)
      })
  )
})

describe("plain text and TLS", () => {
  it.live("a plain caller at a node with certificates is refused, and both log the reason", () =>
    Effect.gen(function* () {
      const { tls } = yield* good
      const one = yield* Sites.start("a", { tls })
      const other = yield* Sites.start("b", { peers: { a: one.address } })
      const reason = /it speaks plain text, and this end takes TLS only/
      assert.match(yield* logged(one.lines, /^Warn: Refused a connection from 127/), reason)
      assert.match(yield* logged(other.lines, /^Warn: a at .* refuses this node/), reason)
    })
  )

  it.live("a caller with TLS at a plain node is refused, and both log the reason", () =>
    Effect.gen(function* () {
      const { tls } = yield* good
      const one = yield* Sites.start("b")
      // It takes a while until a peer that is not there is worth a warning.
      const { layer, lines } = yield* captureLog
      const site = yield* TcpTransport.make({ ...anyPort, tls, silenceMillis: 1 }).pipe(Effect.provide(layer))
      yield* openNode(site, a, { b: one.address }).pipe(Effect.provide(layer))
      yield* logged(
        one.lines,
        /^Warn: Refused a connection .*the caller speaks TLS, and this end plain text only/
      )
      yield* logged(lines, /^Warn: No connection with b at .*: the other end does not speak TLS/)
    })
  )

  it.live("another program's plain text is named as such", () =>
    Effect.gen(function* () {
      const { tls } = yield* good
      const one = yield* Sites.start("a", { tls })
      const caller = yield* dialRaw(one.address, Buffer.from("GET / HTTP/1.1\r\n\r\n"))
      assert.strictEqual((yield* caller.closed).byteLength, 0)
      yield* logged(one.lines, /^Warn: Closed .*first bytes are "GET/)
    })
  )

  it.live("plain text does not leave this machine unless asked to", () =>
    Effect.gen(function* () {
      const refused = yield* Effect.flip(TcpTransport.make({ listen: "0.0.0.0:0" }))
      assert.match(refused.message, /Cannot listen for peers at 0\.0\.0\.0:0: .*insecure: true/)
      yield* TcpTransport.make({ listen: "0.0.0.0:0", insecure: true })
      const { layer, lines } = yield* captureLog
      const site = yield* TcpTransport.make({ ...anyPort, silenceMillis: 1 }).pipe(Effect.provide(layer))
      yield* openNode(site, a, { b: "db-1.example:7001" }).pipe(Effect.provide(layer))
      yield* logged(
        lines,
        /^Warn: No connection with b at db-1\.example:7001: db-1\.example is beyond this machine/
      )
    })
  )
})

describe("a handshake that does not end", () => {
  it.effect("is given up by the listener, whether it says nothing, one byte, or half of TLS", () =>
    Effect.gen(function* () {
      const { tls } = yield* good
      const one = yield* Sites.start("a", { tls })
      const beginnings = [Buffer.alloc(0), Buffer.from([0x16]), Buffer.from([0x16, 3, 1, 2, 0, 1, 0])]
      const callers = yield* Effect.forEach(beginnings, (bytes) => dialRaw(one.address, bytes))
      // A fourth is refused in words, and its end says that the others were accepted.
      yield* Effect.flatMap(dialRaw(one.address, hello()), ({ closed }) => closed)
      yield* TestClock.adjust(5000)
      yield* Effect.forEach(callers, ({ closed }) => closed)
      yield* logged(one.lines, /Warn: Closed .*did not say who it is in 5000 ms/)
    })
  )

  it.effect("is given up by the dialler", () =>
    Effect.gen(function* () {
      const { tls } = yield* good
      const dialled = yield* Queue.dropping<{ readonly closed: Effect.Effect<Buffer> }>(10)
      const address = yield* serveRaw((peer) => Queue.offerUnsafe(dialled, peer))
      yield* Sites.start("a", { tls, peers: { b: address } })
      const { closed } = yield* Queue.take(dialled)
      yield* TestClock.adjust(5000)
      yield* closed
      yield* TestClock.adjust(100)
      yield* Queue.take(dialled)
    })
  )
})

describe("the end", () => {
  it.live("leaves no socket and no server, of good connections, refused ones and those half-way", () =>
    Effect.gen(function* () {
      const sockets = () => process.getActiveResourcesInfo().filter((name) => /^(TCP|TLS)/.test(name))
      const nothingOpen = Effect.gen(function* () {
        while (sockets().length > 0) yield* Effect.yieldNow
      }).pipe(Effect.timeout("5 seconds"))
      yield* nothingOpen
      yield* Effect.gen(function* () {
        const { directory, tls } = yield* good
        const stuck = yield* serveRaw(({ socket }) => socket.pause())
        const one = yield* Sites.start("a", { tls, peers: { z: stuck } })
        const other = yield* Sites.start("b", {
          tls: authority.issue(directory, { name: "b" }),
          peers: { a: one.address, c: one.address }
        })
        other.send(a, message(1))
        yield* Queue.take(one.received)
        yield* logged(other.lines, /not trusted/)
        yield* dialRaw(one.address, Buffer.from([0x16, 3, 1, 2, 0]))
        assert.isAbove(sockets().length, 0)
      }).pipe(Effect.scoped)
      yield* nothingOpen
    })
  )
})
