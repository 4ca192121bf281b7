/**
 * TCP keeps every promise of a transport, over real sockets, in plain text and with certificates.
 */
import { afterAll, beforeAll, describe, it } from "@effect/vitest"
import * as RaftTransportContract from "@effect-raft/core/testing/RaftTransportContract"
import { Authority } from "@effect-raft/test-certificates/Authority"
import * as TcpTransport from "@effect-raft/transport-tcp/TcpTransport"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import * as NodeFs from "node:fs"
import * as NodeOs from "node:os"
import * as NodePath from "node:path"

/** Refusals are logged as warnings, and some cases are about refusals. */
const quietly = Effect.provideService(References.MinimumLogLevel, "Error")

describe("TcpTransport in plain text", () => {
  const network = Effect.succeed(TcpTransport.make({ listen: "127.0.0.1:0" }))
  for (const { name, run } of RaftTransportContract.cases(network)) it.live(name, () => quietly(run))
})

describe("TcpTransport with certificates", () => {
  const directory = NodePath.join(NodeOs.tmpdir(), `effect-raft-contract-${process.pid}`)
  // One certificate for every node of the suite: which one it is, is another test's matter.
  const names = { name: "suite", dnsNames: ["a", "b", "c", "d", "z"] }
  beforeAll(() => {
    NodeFs.mkdirSync(directory, { recursive: true })
    new Authority().issue(directory, names)
  })
  afterAll(() => NodeFs.rmSync(directory, { recursive: true }))
  const tls = {
    certificateFile: NodePath.join(directory, "suite.crt"),
    keyFile: NodePath.join(directory, "suite.key"),
    authorityFile: NodePath.join(directory, "suite.authority.crt")
  }
  const network = Effect.succeed(TcpTransport.make({ listen: "127.0.0.1:0", tls }))
  for (const { name, run } of RaftTransportContract.cases(network)) it.live(name, () => quietly(run))
})
