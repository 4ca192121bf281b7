/** What is said of options that do not fit together: which one it is, and what would do. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as RaftOptions from "../src/RaftOptions.ts"

const members = { n1: "memory:1", n2: "memory:2" }

it.effect.each<readonly [string, RaftOptions.Options, ReadonlyArray<string>]>([
  ["a node that is no member", { nodeId: "n9", members }, ["members: n9 is not one of them (n1, n2)"]],
  ["a name that is none", { nodeId: "a b", members }, ['nodeId: "a b" is no good: Expected']],
  ["nobody", { nodeId: "n1" }, ["members: name the members"]],
  ["members and join", { nodeId: "n1", members, join: true }, ["members: a node that is to join"]],
  [
    "a heartbeat that is too slow",
    { nodeId: "n1", members, config: { heartbeatIntervalMillis: 300 } },
    ["config: ", "heartbeatIntervalMillis (300) must be at most half of electionTimeoutMillis (500)"]
  ],
  [
    "a bound of nothing",
    { nodeId: "n1", members, config: { maxAppendBytes: 0 } },
    ["config: ", "greater than 0", "maxAppendBytes"]
  ],
  [
    "leases that nobody keeps",
    { nodeId: "n1", members, config: { leaseReads: true, checkQuorum: false } },
    ["config: ", "leaseReads needs checkQuorum"]
  ]
])("%s", ([, options, words]) =>
  Effect.map(Effect.flip(RaftOptions.check(options)), ({ message }) => {
    for (const word of words) assert.include(message, word)
  })
)
