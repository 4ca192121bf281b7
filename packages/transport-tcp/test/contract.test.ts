/**
 * TCP keeps every promise of a transport, over real sockets.
 */
import { describe, it } from "@effect/vitest"
import * as RaftTransportContract from "@effect-raft/core/testing/RaftTransportContract"
import * as TcpTransport from "@effect-raft/transport-tcp/TcpTransport"
import * as Effect from "effect/Effect"
import * as References from "effect/References"

/** Refusals are logged as warnings, and some cases are about refusals. */
const quietly = Effect.provideService(References.MinimumLogLevel, "Error")

describe("TcpTransport", () => {
  const network = Effect.succeed(TcpTransport.make({ listen: "127.0.0.1:0" }))
  for (const { name, run } of RaftTransportContract.cases(network)) it.live(name, () => quietly(run))
})
