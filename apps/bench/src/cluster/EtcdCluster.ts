/**
 * etcd servers on the loopback interface, from the `etcd` on the PATH, with their defaults but for what a
 * scenario asks for.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as NodeChildProcess from "node:child_process"
import * as NodePath from "node:path"
import * as EtcdClient from "../etcd/EtcdClient.ts"
import * as Cluster from "./Cluster.ts"
import * as Member from "./Member.ts"

export interface Timing {
  readonly heartbeatMillis: number
  readonly electionMillis: number
}

/** Whether there is an etcd to be measured. */
export const isInstalled: Effect.Effect<boolean> = Effect.callback((resume) => {
  const child = NodeChildProcess.spawn("etcd", ["--version"], { stdio: "ignore" })
  child.once("error", () => resume(Effect.succeed(false)))
  child.once("exit", (code) => resume(Effect.succeed(code === 0)))
})

/** The cluster, not started yet. */
export const make = Effect.fnUntraced(function* (options: {
  readonly directory: string
  readonly size: number
  readonly timing?: Timing
  /** How it is called in the tables, where that is not "etcd". */
  readonly subject?: string
  /** More flags for each member. */
  readonly flags?: ReadonlyArray<string>
}) {
  const fs = yield* FileSystem.FileSystem
  yield* Effect.orDie(fs.makeDirectory(options.directory, { recursive: true }))
  const ports = yield* Cluster.freePorts(2 * options.size)
  const places = Array.from({ length: options.size }, (_, at) => ({
    id: `e${at + 1}`,
    client: `127.0.0.1:${ports[2 * at]}`,
    peer: `127.0.0.1:${ports[2 * at + 1]}`
  }))
  const initialCluster = places.map(({ id, peer }) => `${id}=http://${peer}`).join(",")
  const timing =
    options.timing === undefined
      ? []
      : [
          `--heartbeat-interval=${options.timing.heartbeatMillis}`,
          `--election-timeout=${options.timing.electionMillis}`
        ]
  const members = yield* Effect.forEach(places, ({ client, id, peer }) =>
    Member.make({
      id,
      command: "etcd",
      args: [
        `--name=${id}`,
        `--data-dir=${NodePath.join(options.directory, id)}`,
        `--listen-client-urls=http://${client}`,
        `--advertise-client-urls=http://${client}`,
        `--listen-peer-urls=http://${peer}`,
        `--initial-advertise-peer-urls=http://${peer}`,
        `--initial-cluster=${initialCluster}`,
        "--log-level=error",
        ...timing,
        ...(options.flags ?? [])
      ],
      logFile: NodePath.join(options.directory, `${id}.log`),
      clientAddress: client,
      hasProbe: false
    })
  )
  return {
    subject: options.subject ?? "etcd",
    protocol: "etcd",
    members,
    addressOf: ({ clientAddress }) => clientAddress,
    leader: Cluster.findLeader(members, isLeader)
  } satisfies Cluster.Cluster
})

const isLeader = (member: Member.Member): Effect.Effect<boolean> =>
  EtcdClient.make({ endpoints: [member.clientAddress], connections: 1, timeoutMillis: 500 }).pipe(
    Effect.flatMap(({ status }) => status),
    Effect.map(({ leaderId, memberId }) => leaderId !== 0n && leaderId === memberId),
    Effect.catch(() => Effect.succeed(false)),
    Effect.scoped
  )
