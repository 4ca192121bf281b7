/**
 * `pnpm faults:disk`: the disk of one of three nodes says no. strace stands between a running node and the
 * system, and fails its next flush, or its next write, with EIO or ENOSPC; once on a follower, once on the
 * leader. The node must stop and say why, the cluster must go on, and the node must come back after a
 * restart with nothing lost that was acknowledged. Needs Linux and strace.
 */
import { spawn, spawnSync } from "node:child_process"
import { readdirSync } from "node:fs"
import * as path from "node:path"
import * as Nodes from "./Nodes.ts"
import type { Node } from "./Nodes.ts"
import * as Report from "./Report.ts"
import * as Writes from "./Writes.ts"

interface Fault {
  readonly call: "fdatasync" | "pwritev"
  readonly error: "EIO" | "ENOSPC"
  /** What the node is to say. */
  readonly says: RegExp
}

const faults: ReadonlyArray<Fault> = [
  { call: "fdatasync", error: "EIO", says: /flush failed on .*\.wal: the disk reports an error \(EIO\)/ },
  { call: "fdatasync", error: "ENOSPC", says: /flush failed on .*\.wal: the disk is full \(ENOSPC\)/ },
  { call: "pwritev", error: "ENOSPC", says: /write failed on .*\.wal: the disk is full \(ENOSPC\)/ }
]

/** Also the next one, which has its name before it is begun. */
const segmentsOf = (node: Node): ReadonlyArray<string> =>
  readdirSync(node.directory)
    .filter((name) => name.endsWith(".wal"))
    .map((name) => path.join(node.directory, name))

/** Fails every such call on the node's log from now on. Ends when strace has a hold of the process. */
const inject = (node: Node, { call, error }: Fault): Promise<void> =>
  new Promise((resolve, reject) => {
    const paths = segmentsOf(node).flatMap((segment) => ["-P", segment])
    const flags = ["-f", "-p", String(node.pid()), ...paths, "-e", `trace=${call}`]
    const strace = spawn("strace", [...flags, "-e", `inject=${call}:error=${error}:when=1+`])
    let said = ""
    strace.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text
      if (said.includes("attached")) resolve()
    })
    strace.on("close", () =>
      reject(new Report.CannotTry(`strace cannot attach to a process here: ${said.trim()}`))
    )
  })

const attempt = async (fault: Fault, role: "a follower" | "the leader"): Promise<void> => {
  Report.note(`${fault.call} fails with ${fault.error} on ${role}`)
  const { nodes, remove } = await Nodes.cluster()
  try {
    await Promise.all(nodes.map((node) => node.start()))
    const leader = await Nodes.leaderOf(nodes)
    const victim = role === "the leader" ? leader : nodes.find((node) => node !== leader)!
    const writes = Writes.begin(nodes, "key")
    await writes.more(50)
    await inject(victim, fault)
    const { by, stderr } = await victim.ended()
    Report.expect(by === 1, "the node stopped, exit code 1", `${by}: ${stderr}`)
    const said = stderr.split("\n").filter((line) => line.startsWith("effect-raft: "))
    Report.expect(said.length === 1 && fault.says.test(said[0] ?? ""), `it said: ${said[0]}`, stderr)
    await writes.more(100)
    Report.held("the two others went on")
    await victim.start()
    await writes.more(50)
    await writes.stop()
    await Nodes.caughtUp(victim, await Nodes.leaderOf(nodes))
    await expectNothingLost(victim, writes)
    await Promise.all(nodes.map((node) => node.kill("SIGKILL")))
    await Promise.all(nodes.map((node) => node.start()))
    const newLeader = await Nodes.leaderOf(nodes)
    for (const node of nodes) await Nodes.caughtUp(node, newLeader)
    for (const node of nodes) await expectNothingLost(node, writes)
  } finally {
    await remove()
  }
}

const expectNothingLost = async (node: Node, { acknowledged }: Writes.Writes): Promise<void> => {
  const missing = await Writes.missingFrom(node, acknowledged)
  Report.expect(missing.length === 0, `${node.id} has all ${acknowledged.size} acknowledged writes`, missing)
}

await Report.main(async () => {
  if (spawnSync("strace", ["-V"]).status !== 0) throw new Report.CannotTry("strace is not installed here")
  for (const fault of faults) {
    for (const role of ["a follower", "the leader"] as const) await attempt(fault, role)
  }
})
