/** What `up` shows of a node. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { NodeProcess } from "../src/NodeProcess.ts"
import * as StatusBoard from "../src/StatusBoard.ts"

const plan = {
  id: "n1",
  peer: { host: "127.0.0.1", port: 7001 },
  http: { host: "127.0.0.1", port: 7101 },
  clients: { host: "127.0.0.1", port: 7201 },
  url: "http://127.0.0.1:7101",
  directory: "/data/n1",
  logFile: "/data/n1.log"
}

const process: NodeProcess = { pid: 42, ready: Effect.void, ended: Effect.never, kill: () => Effect.void }

const view = (commit: number): StatusBoard.NodeView => ({
  plan,
  life: { _tag: "Running", process },
  status: {
    clusterId: "c",
    node: "n1",
    role: "Leader",
    term: 3,
    leader: "n1",
    commit,
    applied: commit,
    last: commit,
    members: []
  }
})

describe("a node's line", () => {
  it("tells role, term, leader, pid and progress", () => {
    expect(StatusBoard.lineOf(view(7))).toMatch(
      /^n1 {2}http:\/\/127\.0\.0\.1:7101 {2}Leader +term 3 +leader n1 +pid 42 +commit 7$/
    )
  })

  it("is no news when only the log has grown", () => {
    expect(StatusBoard.newsOf(view(8))).toBe(StatusBoard.newsOf(view(7)))
    expect(StatusBoard.lineOf(view(8))).not.toBe(StatusBoard.lineOf(view(7)))
  })

  it("says how the process died", () => {
    const dead = (by: number | string, lastWords: string) =>
      StatusBoard.newsOf({ plan, life: { _tag: "Ended", ending: { by, lastWords } }, status: undefined })
    expect(dead("SIGKILL", "")).toContain("dead, killed by SIGKILL")
    expect(dead(1, "the disk is full")).toContain("dead, exited with code 1: the disk is full")
  })
})

describe("on a terminal", () => {
  it("lines replace the ones drawn before and fit the width", () => {
    expect(StatusBoard.redraw(["one", "two"], 0, 80)).toBe("\r\u001b[2Kone\n\r\u001b[2Ktwo\n")
    expect(StatusBoard.redraw(["one", "two"], 2, 80).startsWith("\u001b[2A\r")).toBe(true)
    expect(StatusBoard.redraw(["0123456789"], 0, 8)).toBe("\r\u001b[2K012345…\n")
  })
})
