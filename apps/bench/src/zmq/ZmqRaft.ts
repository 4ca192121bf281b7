/**
 * Puts into three `zmq-raft` servers, as `pnpm bench versus` puts into ours: values of 256 bytes, callers that
 * ask again as soon as they were answered, flushes as the package makes them.
 *
 * The package is no dependency of ours, because its binding to ZeroMQ does not build on the Node that we use.
 * So this is a program of its own, for an older Node: built by `tsc -b`, and told where somebody has installed
 * the package (docs/PERFORMANCE.md says how).
 *
 *     node apps/bench/dist/zmq/ZmqRaft.js DIRECTORY [SECONDS]
 */
import * as NodeChildProcess from "node:child_process"
import * as NodeFs from "node:fs"
import { createRequire } from "node:module"
import * as NodePath from "node:path"
import { performance } from "node:perf_hooks"
import * as NodeUrl from "node:url"

const valueBytes = 256
const warmUpMillis = 1000
const clientCounts = [1, 16, 64, 256]
/** Beyond this callers share connections. */
const maxConnections = 64

interface Peer {
  readonly id: string
  readonly url: string
}

interface ServerOptions extends Peer {
  readonly directory: string
  readonly peers: ReadonlyArray<Peer>
}

/** What we use of the package, which comes without types. */
interface Package {
  readonly client: {
    readonly ZmqRaftClient: new (options: {
      readonly peers: ReadonlyArray<Peer>
      readonly secret: string
      readonly highwatermark: number
      readonly timeout: number
    }) => {
      readonly requestUpdate: (id: string, data: Uint8Array) => Promise<unknown>
      readonly close: () => void
    }
  }
  readonly utils: { readonly id: { readonly genIdent: () => string } }
}

interface Builder {
  readonly build: (options: object) => Promise<unknown>
}

const [home = ".", role, argument] = process.argv.slice(2)
const requireThere = createRequire(NodePath.resolve(home, "package.json"))

const serve = async ({ directory, id, peers, url }: ServerOptions): Promise<void> => {
  const { build } = requireThere("zmq-raft/lib/server/builder") as Builder
  const broadcast = `tcp://127.0.0.1:${Number(url.split(":")[2]) + 10}`
  await build({
    id,
    secret: "",
    peers,
    data: { path: directory },
    router: { bind: url },
    broadcast: { url: broadcast, bind: broadcast }
  })
  process.send?.("ready")
  process.on("disconnect", () => process.exit())
}

const measureWith = async (peers: ReadonlyArray<Peer>, clients: number, seconds: number) => {
  const { client, utils } = requireThere("zmq-raft") as Package
  const connections = Array.from(
    { length: Math.min(clients, maxConnections) },
    () => new client.ZmqRaftClient({ peers, secret: "", highwatermark: 1024, timeout: 5000 })
  )
  const value = new Uint8Array(valueBytes).fill(7)
  const payload = Buffer.from(value)
  const beginMillis = performance.now() + warmUpMillis
  const endMillis = beginMillis + seconds * 1000
  const latencies: Array<number> = []
  const caller = async (number: number) => {
    const connection = connections[number % connections.length]!
    for (;;) {
      const sentMillis = performance.now()
      if (sentMillis >= endMillis) return
      await connection.requestUpdate(utils.id.genIdent(), payload)
      const nowMillis = performance.now()
      if (sentMillis >= beginMillis && nowMillis <= endMillis) latencies.push(nowMillis - sentMillis)
    }
  }
  await Promise.all(Array.from({ length: clients }, (_, number) => caller(number)))
  for (const connection of connections) connection.close()
  latencies.sort((one, other) => one - other)
  const percentile = (share: number) => latencies[Math.floor((latencies.length - 1) * share)] ?? 0
  return {
    perSecond: latencies.length / seconds,
    p50Millis: percentile(0.5),
    p99Millis: percentile(0.99)
  }
}

const measure = async (seconds: number): Promise<void> => {
  const directory = NodeFs.mkdtempSync(NodePath.resolve(".bench-zmq-raft-"))
  const firstPort = 20_000 + (process.pid % 5000)
  const peers = [1, 2, 3].map((n) => ({ id: `z${n}`, url: `tcp://127.0.0.1:${firstPort + n}` }))
  const servers = peers.map((peer) => {
    const options: ServerOptions = { ...peer, directory: NodePath.join(directory, peer.id), peers }
    return NodeChildProcess.fork(NodeUrl.fileURLToPath(import.meta.url), [
      home,
      "serve",
      JSON.stringify(options)
    ])
  })
  try {
    await Promise.all(servers.map((server) => new Promise((resolve) => server.once("message", resolve))))
    for (const clients of clientCounts) {
      const figures = await measureWith(peers, clients, seconds)
      const line = { subject: "zmq-raft", case: { operation: "put", clients, valueBytes }, figures }
      process.stdout.write(`${JSON.stringify(line)}\n`)
    }
  } finally {
    for (const server of servers) server.kill("SIGKILL")
    NodeFs.rmSync(directory, { recursive: true, force: true })
  }
}

if (role === "serve") await serve(JSON.parse(argument ?? "") as ServerOptions)
else {
  await measure(Number(role ?? 4))
  process.exit()
}
