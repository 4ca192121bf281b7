/**
 * `pnpm faults:full`: one of three nodes has a disk of 48 MiB, and it fills up. The node must stop and say
 * that its disk is full, the cluster must go on, the node must say the same again when it is started
 * without space, and go on when it is started with more, with nothing lost. Needs Linux and root, for a
 * file system in memory.
 */
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import * as path from "node:path"
import * as Nodes from "./Nodes.ts"
import * as Report from "./Report.ts"
import * as Writes from "./Writes.ts"

/** Two segments fit, the third does not. */
const diskMegabytes = 48

const command = (name: string, ...args: ReadonlyArray<string>): void => {
  const { error, status, stderr } = spawnSync(name, args, { encoding: "utf8" })
  if (status !== 0) {
    const why = error?.message ?? stderr.trim()
    throw new Report.CannotTry(`a small file system cannot be mounted here (it needs root): ${why}`)
  }
}

const megabyte = 1024 * 1024

/** Fills the log of the cluster with values of 256 KiB, until `isEnough`. */
const fill = async (nodes: ReadonlyArray<Nodes.Node>, isEnough: () => boolean): Promise<void> => {
  const body = new Uint8Array(megabyte / 4)
  for (let count = 0; !isEnough(); count++) {
    const { url } = nodes[count % nodes.length]!
    const request = { method: "PUT", body, signal: AbortSignal.timeout(5_000) }
    await fetch(`${url}/kv/fill-${count % 8}`, request).then(
      (response) => response.text(),
      () => undefined
    )
  }
}

const run = async (disk: string): Promise<void> => {
  const { nodes, remove } = await Nodes.cluster((id, root) => path.join(id === "n3" ? disk : root, id))
  try {
    const [n1, n2, n3] = nodes as [Nodes.Node, Nodes.Node, Nodes.Node]
    await Promise.all(nodes.map((node) => node.start()))
    const writes = Writes.begin([n1, n2], "key")
    await writes.more(20)
    let end: Nodes.Ended | undefined
    const ended = n3.ended().then((how) => (end = how))
    // As another program would that shares the disk: what is left is not enough for the next segment.
    writeFileSync(path.join(disk, "somebody-else"), new Uint8Array(8 * megabyte))
    await fill([n1, n2], () => end !== undefined)
    const { by, stderr } = await ended
    Report.expect(by === 1, "the node with the full disk stopped, exit code 1", by)
    const says = stderr.split("\n").find((line) => line.startsWith("effect-raft: "))
    Report.expect(/the disk is full \(ENOSPC\)/.test(says ?? ""), `it said: ${says}`, stderr)
    await writes.more(50)
    Report.held("the two others went on")

    writeFileSync(path.join(disk, "rest"), "")
    const again = await fillUp(n3, disk)
    Report.expect(again.by === 1, "started again without space it stops again, exit code 1", again.by)
    const saysAgain = again.stderr.split("\n").find((line) => line.startsWith("effect-raft: "))
    Report.expect(/the disk is full \(ENOSPC\)/.test(saysAgain ?? ""), `it said: ${saysAgain}`, again.stderr)

    command("mount", "-o", `remount,size=${8 * diskMegabytes}M`, disk)
    rmSync(path.join(disk, "somebody-else"))
    await n3.start()
    await writes.more(20)
    await writes.stop()
    await Nodes.caughtUp(n3, await Nodes.leaderOf([n1, n2, n3]))
    const missing = await Writes.missingFrom(n3, writes.acknowledged)
    Report.expect(
      missing.length === 0,
      `with space it went on and has all ${writes.acknowledged.size} acknowledged writes`,
      missing
    )
  } finally {
    await remove()
  }
}

/** Starts the node where nothing more fits, and gives how it ended. */
const fillUp = async (node: Nodes.Node, disk: string): Promise<Nodes.Ended> => {
  spawnSync("dd", ["if=/dev/zero", `of=${path.join(disk, "rest")}`, "bs=64k"])
  return node.startToFail()
}

await Report.main(async () => {
  const disk = mkdtempSync(path.join(tmpdir(), "effect-raft-small-disk-"))
  mkdirSync(disk, { recursive: true })
  try {
    command("mount", "-t", "tmpfs", "-o", `size=${diskMegabytes}M`, "tmpfs", disk)
    try {
      await run(disk)
    } finally {
      spawnSync("umount", [disk])
    }
  } finally {
    rmSync(disk, { recursive: true, force: true })
  }
})
