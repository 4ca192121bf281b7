/**
 * Where the processor time of an operation goes: `node scripts/profile.ts --help`.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as ProfileCli from "../apps/bench/src/profile/ProfileCli.ts"

ProfileCli.run(process.argv.slice(2)).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
