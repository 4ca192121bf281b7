/**
 * Our own servers on the loopback interface: `effect-raft serve` processes, with their defaults but for
 * what a scenario asks for. They serve both protocols, so one cluster has two faces.
 */
import { Status } from "@effect-raft/kv/KvApi"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as NodePath from "node:path"
import { BenchFailed } from "../Scenario.ts"
import * as Cluster from "./Cluster.ts"
import type { Timing } from "./EtcdCluster.ts"
import * as Member from "./Member.ts"
import * as Program from "./Program.ts"

const probeModule = new URL("../probe/Probe.ts", import.meta.url).href

/** The cluster, not started yet. */
export const make = Effect.fnUntraced(function* (options: {
  readonly directory: string
  readonly size: number
  readonly timing?: Timing
  /** Whether the probe is in each member. It looks at the clock 200 times a second. True unless told. */
  readonly hasProbe?: boolean
  /** Handed to the Node of each member, such as `--cpu-prof`; the program then runs from its sources. */
  readonly nodeFlags?: (id: string) => ReadonlyArray<string>
}) {
  const fs = yield* FileSystem.FileSystem
  const { hasProbe = true } = options
  const program = options.nodeFlags === undefined ? yield* Program.bundled : Program.sources
  yield* Effect.orDie(fs.makeDirectory(options.directory, { recursive: true }))
  const ports = yield* Cluster.freePorts(3 * options.size)
  const places = Array.from({ length: options.size }, (_, at) => ({
    id: `n${at + 1}`,
    http: `127.0.0.1:${ports[3 * at]}`,
    native: `127.0.0.1:${ports[3 * at + 1]}`,
    peer: `127.0.0.1:${ports[3 * at + 2]}`
  }))
  const timing =
    options.timing === undefined
      ? []
      : [
          ...["--heartbeat", String(options.timing.heartbeatMillis)],
          ...["--election-timeout", String(options.timing.electionMillis)]
        ]
  const members = yield* Effect.forEach(places, ({ http, id, native, peer }) =>
    Member.make({
      id,
      command: process.execPath,
      args: [
        ...(options.nodeFlags?.(id) ?? []),
        ...(hasProbe ? ["--import", probeModule] : []),
        program,
        "serve",
        ...["--node-id", id],
        ...["--directory", NodePath.join(options.directory, id)],
        ...["--listen", peer],
        ...["--http", http],
        ...["--clients", native],
        ...places.flatMap((other) => ["--member", `${other.id}=${other.peer}`]),
        "--stop-with-stdin",
        ...timing
      ],
      logFile: NodePath.join(options.directory, `${id}.log`),
      clientAddress: http,
      hasProbe
    })
  )
  const leader = Cluster.findLeader(members, isLeader)
  const logFiles = places.map(({ id }) => NodePath.join(options.directory, `${id}.log`))
  const electedMillis = Effect.provideService(lastElection(logFiles), FileSystem.FileSystem, fs)
  const nativeAddresses = new Map(places.map(({ id, native }) => [id, native]))
  const native: Cluster.Cluster = {
    subject: "effect-raft",
    protocol: "native",
    members,
    addressOf: ({ id }) => nativeAddresses.get(id)!,
    leader,
    electedMillis
  }
  const http: Cluster.Cluster = {
    subject: "effect-raft over HTTP",
    protocol: "http",
    members,
    addressOf: ({ clientAddress }) => clientAddress,
    leader,
    electedMillis
  }
  return { native, http }
})

/** When the last of the elections was of which these logs tell. */
const lastElection = Effect.fnUntraced(function* (logFiles: ReadonlyArray<string>) {
  const fs = yield* FileSystem.FileSystem
  const logs = yield* Effect.orDie(Effect.forEach(logFiles, (file) => fs.readFileString(file)))
  const times = logs.flatMap((log) =>
    Array.from(log.matchAll(/ leads in term \d+ since ([\dT:.-]+Z)/g), ([, time]) => Date.parse(time!))
  )
  if (times.length === 0) return yield* new BenchFailed({ message: "No server says that it was elected" })
  return Math.max(...times)
})

const isLeader = (member: Member.Member): Effect.Effect<boolean> =>
  HttpClient.get(`http://${member.clientAddress}/status`).pipe(
    Effect.flatMap(HttpClientResponse.schemaBodyJson(Status)),
    Effect.map(({ role }) => role === "Leader"),
    Effect.timeout(500),
    Effect.provide(FetchHttpClient.layer),
    Effect.catch(() => Effect.succeed(false))
  )
