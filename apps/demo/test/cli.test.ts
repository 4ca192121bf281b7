/** The command line: what it refuses, and how it says so. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Commands from "../src/Commands.ts"
import * as NodeVersion from "../src/NodeVersion.ts"
import * as InProcess from "./InProcess.ts"

const node = [
  "serve",
  "--node-id",
  "n1",
  "--directory",
  "/nowhere",
  "--listen",
  "127.0.0.1:1",
  "--http",
  "127.0.0.1:2"
]
const alone = [...node, "--member", "n1=127.0.0.1:1"]

describe("a mistake is refused with exit code 2 and one line that names it", () => {
  it.live.each([
    ["an unknown flag", ["up", "--frobnicate"], "Unrecognized flag: --frobnicate in command effect-raft up"],
    ["an unknown command", ["upp"], 'Unknown subcommand "upp"'],
    ["a count that is none", ["up", "--nodes", "many"], "--nodes"],
    ["too many nodes", ["up", "--nodes", "10"], "at most 9 nodes"],
    ["a port that leaves no room", ["up", "--base-port", "65500"], "--base-port"],
    ["a story on too few nodes", ["demo", "--nodes", "2"], "--nodes must be at least 3"],
    ["an endpoint without a scheme", ["get", "k", "--endpoint", "localhost:7101"], "--endpoint"],
    ["no endpoint", ["get", "k"], "--endpoint"],
    [
      "an endpoint that is neither kind",
      ["get", "k", "-e", "n1"],
      "such as http://127.0.0.1:7101 or raft://"
    ],
    ["endpoints of two kinds", ["get", "k", "-e", "http://127.0.0.1:1,raft://127.0.0.1:2"], "of one kind"],
    [
      "a native endpoint for a backup",
      ["backup", "f", "-e", "raft://127.0.0.1:1"],
      "Expected: HTTP addresses"
    ],
    [
      "a native endpoint for an operator",
      ["transfer", "-e", "raft://127.0.0.1:1"],
      "Expected: HTTP addresses"
    ],
    ["an empty name of a directory", ["up", "--directory", ""], "Expected: the name of a directory"],
    ["a file for a directory", ["up", "--directory", import.meta.filename], "there is a file"],
    [
      "a directory below a file",
      ["up", "--directory", `${import.meta.filename}/data`],
      "there is a file where a directory is needed"
    ],
    ["no time at all", ["get", "k", "-e", "http://127.0.0.1:1", "--timeout", "0"], "--timeout"],
    ["no value", ["put", "k", "-e", "http://127.0.0.1:1"], "Give the value once"],
    ["two values", ["put", "k", "v", "--file", "f", "-e", "http://127.0.0.1:1"], "Give the value once"],
    [
      "a file that is not there",
      ["put", "k", "--file", "/nowhere", "-e", "http://127.0.0.1:1"],
      "--file /nowhere cannot be read: there is no such file or directory (ENOENT)"
    ],
    ["no condition", ["cas", "k", "v", "-e", "http://127.0.0.1:1"], "--revision N or --absent"],
    [
      "two conditions",
      ["cas", "k", "v", "--absent", "--revision", "1", "-e", "http://127.0.0.1:1"],
      "--revision N or"
    ],
    ["revision 0", ["cas", "k", "v", "--revision", "0", "-e", "http://127.0.0.1:1"], "--revision"],
    ["a missing flag", ["serve"], "--node-id"],
    ["no members", node, "--member"],
    [
      "members without this node",
      [...node, "--member", "n9=127.0.0.1:1"],
      "--node-id is n1, the members are n9"
    ],
    ["a member twice", [...alone, "--member", "n1=127.0.0.1:3"], "n1 is listed twice"],
    ["two members at one address", [...alone, "--member", "n2=127.0.0.1:1"], "n1 and n2 share 127.0.0.1:1"],
    ["a member without an address", [...alone, "--member", "n2=nowhere"], '"n2=nowhere"'],
    ["a port out of range", [...alone, "--member", "n2=127.0.0.1:70000"], '"n2=127.0.0.1:70000"'],
    [
      "one port for peers and clients",
      [...alone, "--http", "127.0.0.1:1"].toSpliced(7, 2),
      "--listen and --http are both 127.0.0.1:1"
    ],
    [
      "plain text beyond this machine",
      [...alone, "--listen", "0.0.0.0:1"].toSpliced(5, 2),
      "--listen 0.0.0.0:1 is beyond this machine"
    ],
    [
      "a member beyond this machine",
      [...alone, "--member", "n2=db-2:1"],
      "--member n2=db-2:1 is beyond this machine"
    ],
    [
      "half of the certificate flags",
      [...alone, "--tls-cert", "/nowhere.crt"],
      "belong together: --tls-key and --tls-ca missing"
    ],
    [
      "half of a client's certificate flags",
      ["get", "k", "-e", "https://127.0.0.1:1", "--tls-ca", "/nowhere.crt"],
      "belong together: --tls-cert and --tls-key missing"
    ],
    ["a node id with a space", [...alone, "--member", "n 2=127.0.0.1:3"], '"n 2=127.0.0.1:3"'],
    [
      "a heartbeat too slow",
      [...alone, "--heartbeat", "251"],
      "--heartbeat (251) must be at most half of --election-timeout (500)"
    ]
  ] as const)("%s", ([, args, message]) =>
    Effect.gen(function* () {
      const { code, complained } = yield* InProcess.run(args)
      expect(complained).toHaveLength(1)
      expect(complained[0]).toMatch(/^effect-raft: [^\n]*$/)
      expect(complained[0]).toContain(message)
      expect(code).toBe(2)
    })
  )
})

describe("a Node that is too old", () => {
  it("is refused in words, by version", () => {
    for (const old of ["18.20.4", "20.20.2", "22.9.0", "22.18.1"]) {
      expect(NodeVersion.complaintAbout(old)).toContain(`this is Node ${old}, and 22.19 or newer is needed`)
    }
    for (const fit of ["22.19.0", "23.0.0", "26.10.0", process.versions.node]) {
      expect(NodeVersion.complaintAbout(fit)).toBeUndefined()
    }
  })
})

describe("help", () => {
  it.live("names every command, and what a node must be told", () =>
    Effect.gen(function* () {
      const root = yield* InProcess.run(["--help"])
      const commands = yield* Commands.load([])
      expect(commands).not.toHaveLength(0)
      for (const { name } of commands) {
        expect(root.said.join("\n")).toMatch(new RegExp(`^ +${name} `, "m"))
      }
      const serve = (yield* InProcess.run(["serve", "--help"])).said.join("\n")
      for (const flag of [
        "node-id",
        "directory",
        "listen",
        "http",
        "member",
        "cluster-id",
        "election-timeout",
        "heartbeat"
      ]) {
        expect(serve).toContain(`--${flag} `)
      }
      expect(root.code).toBe(0)
    })
  )
})
