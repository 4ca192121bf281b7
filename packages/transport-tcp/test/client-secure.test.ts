/**
 * Certificates at the port for clients: who is let in, and what the others are told, on both sides.
 */
import { assert, describe, it } from "@effect/vitest"
import { ClientEntrance } from "@effect-raft/core/ClientEntrance"
import { RaftClientTransport } from "@effect-raft/core/RaftClientTransport"
import { Authority } from "@effect-raft/test-certificates/Authority"
import type { TlsFiles } from "@effect-raft/transport-tcp/Credentials"
import * as TcpClientServer from "@effect-raft/transport-tcp/TcpClientServer"
import * as TcpClientTransport from "@effect-raft/transport-tcp/TcpClientTransport"
import * as Effect from "effect/Effect"
import { captureLog, logged } from "./support/Peers.ts"
import { entrance, welcome } from "./support/SilentNode.ts"
import * as Sites from "./support/Sites.ts"

const authority = new Authority()
const otherAuthority = new Authority("another authority")

const filesOf = (name: string, by = authority) =>
  Effect.map(Sites.temporaryDirectory, (directory) => by.issue(directory, { name }))

/** A listener with this certificate, or in plain text, and its log. */
const serve = Effect.fnUntraced(function* (tls: TlsFiles | undefined) {
  const { layer, lines } = yield* captureLog
  const address = yield* TcpClientServer.make({
    listen: "127.0.0.1:0",
    ...(tls === undefined ? {} : { tls })
  }).pipe(Effect.provideService(ClientEntrance, entrance), Effect.provide(layer))
  return { address, lines }
})

const connect = (address: string, tls: TlsFiles | undefined) =>
  RaftClientTransport.use((transport) =>
    transport.connect({
      endpoint: address,
      clusterId: welcome.clusterId,
      groupId: welcome.groupId,
      handler: { onAnswers: () => undefined, onLost: () => undefined }
    })
  ).pipe(
    Effect.provide(tls === undefined ? TcpClientTransport.layer() : TcpClientTransport.layerTls({ tls }))
  )

describe("clients with certificates", () => {
  it.live("are let in with one of the right authority", () =>
    Effect.gen(function* () {
      const { address } = yield* serve(yield* filesOf("n1"))
      const connection = yield* connect(address, yield* filesOf("me"))
      assert.strictEqual(connection.welcome.nodeId, "n1")
    })
  )

  it.live("are refused with one of another authority, and told so, as is the node's operator", () =>
    Effect.gen(function* () {
      const { address, lines } = yield* serve(yield* filesOf("n1"))
      const mine = yield* filesOf("me")
      const theirs = yield* filesOf("me", otherAuthority)
      // Its own certificate is a stranger's, but it trusts the right authority.
      const error = yield* Effect.flip(connect(address, { ...theirs, authorityFile: mine.authorityFile }))
      assert.match(error.message, /refuses this client: .*authority that is not known/)
      yield* logged(lines, /Closed a client's connection.*authority that is not known/)
    })
  )

  it.live("do not talk to a node of another authority", () =>
    Effect.gen(function* () {
      const { address } = yield* serve(yield* filesOf("n1", otherAuthority))
      const error = yield* Effect.flip(connect(address, yield* filesOf("me")))
      assert.match(error.message, /authority that is not known here/)
    })
  )

  it.live("do not talk to a node that has another node's certificate", () =>
    Effect.gen(function* () {
      const { address } = yield* serve(yield* filesOf("n2"))
      const error = yield* Effect.flip(connect(address, yield* filesOf("me")))
      assert.match(error.message, /its certificate is not for node n1/)
    })
  )

  it.live("are told to get one when they come in plain text", () =>
    Effect.gen(function* () {
      const { address, lines } = yield* serve(yield* filesOf("n1"))
      const error = yield* Effect.flip(connect(address, undefined))
      assert.match(error.message, /refuses this client: it speaks plain text/)
      yield* logged(lines, /Closed a client's connection.*plain text/)
    })
  )

  it.live("are no use to a node in plain text, which says so in its log", () =>
    Effect.gen(function* () {
      const { address, lines } = yield* serve(undefined)
      const error = yield* Effect.flip(connect(address, yield* filesOf("me")))
      assert.strictEqual(error._tag, "ConnectFailed")
      yield* logged(lines, /the beginning of a TLS connection, and this end takes plain text/)
    })
  )

  it("plain text does not leave this machine unless it is asked to", () => {
    assert.match(TcpClientTransport.make().problemWith("db-1:7201") ?? "", /beyond this machine/)
    assert.isUndefined(TcpClientTransport.make({ insecure: true }).problemWith("db-1:7201"))
    assert.isUndefined(TcpClientTransport.make().problemWith("127.0.0.1:7201"))
  })
})
