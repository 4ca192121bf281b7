/**
 * TCP keeps every promise of a client transport, over real sockets.
 */
import { describe, it } from "@effect/vitest"
import { ClientEntrance } from "@effect-raft/core/ClientEntrance"
import * as RaftClientTransportContract from "@effect-raft/core/testing/RaftClientTransportContract"
import * as TcpClientServer from "@effect-raft/transport-tcp/TcpClientServer"
import * as TcpClientTransport from "@effect-raft/transport-tcp/TcpClientTransport"
import * as Effect from "effect/Effect"
import * as References from "effect/References"

/** Refusals are logged as warnings, and some cases are about refusals. */
const quietly = Effect.provideService(References.MinimumLogLevel, "Error")

const site: RaftClientTransportContract.Site = {
  transport: TcpClientTransport.make(),
  listen: (entrance) =>
    TcpClientServer.make({ listen: "127.0.0.1:0" }).pipe(
      Effect.provideService(ClientEntrance, entrance),
      Effect.orDie
    ),
  nowhere: "127.0.0.1:1"
}

describe("TcpClientTransport and TcpClientServer", () => {
  for (const { name, run } of RaftClientTransportContract.cases(Effect.succeed(site)))
    it.live(name, () => quietly(run))
})
