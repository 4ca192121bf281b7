/**
 * A thread that runs simulations for `effect-raft sim`; see SimRuns.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeWorkerRunner from "@effect/platform-node/NodeWorkerRunner"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as RpcServer from "effect/rpc/RpcServer"
import { runHere, SimRpcs } from "./SimRuns.ts"

const Handlers = SimRpcs.toLayer({
  Run: ({ seed, settings }) => Effect.sync(() => runHere(seed, settings))
})

RpcServer.layer(SimRpcs).pipe(
  Layer.provide(Handlers),
  Layer.provide(RpcServer.layerProtocolWorkerRunner),
  Layer.provide(NodeWorkerRunner.layer),
  Layer.launch,
  NodeRuntime.runMain
)
