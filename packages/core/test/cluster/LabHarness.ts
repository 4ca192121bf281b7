/**
 * The vocabulary of the 6.5840 labs on whole clusters under `TestClock`.
 *
 * People who have done the labs find what they know: `checkOneLeader`, `nCommitted`, `one`, `disconnect`,
 * `crash`. A test is written as it is there, with sleeps, on virtual time, and may take two minutes of it.
 * Four things are different:
 *
 * - a leader's first entry is a no-op, so the first command is not at index 1: `placeOf` counts commands;
 * - `submit` is the labs' `Start`; `start` brings a crashed server up again;
 * - the labs count RPCs. Here a request and its reply are two messages, and `rpcs` counts the requests;
 * - a server that crashes or is cut off tells nobody (`notifyLost: false`), because the labs' network does not.
 *
 * Every step of every server is also checked against the properties of the paper's figure 3, so what the
 * labs' `applyCh` reader checks (same command at the same index, no index twice) holds all the time.
 */
import { assert } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { LogIndex } from "../../src/LogIndex.ts"
import * as LogIndexModule from "../../src/LogIndex.ts"
import type { NodeId } from "../../src/NodeId.ts"
import type { Position } from "../../src/Raft.ts"
import { RaftMessage } from "../../src/RaftMessage.ts"
import { isReply } from "../../src/testing/LinkFaults.ts"
import type { Term } from "../../src/Term.ts"
import { clusterTest } from "./ClusterTest.ts"
import type { ClusterOptions, JournalCluster } from "./ClusterTest.ts"
import { Journal } from "./Journal.ts"

/** How many servers applied a command at an index, and which. */
export interface Committed {
  readonly count: number
  readonly command: string | undefined
}

export interface Lab {
  readonly cluster: JournalCluster
  readonly servers: ReadonlyArray<NodeId>

  /** Waits until exactly one connected server leads the newest term, and fails if two lead one term. */
  readonly checkOneLeader: Effect.Effect<NodeId>
  /** The term, which all connected servers must agree on. */
  readonly checkTerms: Effect.Effect<Term>
  /** No connected server thinks that it leads. */
  readonly checkNoLeader: Effect.Effect<void>

  /** How many servers have applied a command at `index`. */
  readonly nCommitted: (index: LogIndex) => Committed
  /** The commands that a server has applied since it started, in order. */
  readonly commands: (server: NodeId) => ReadonlyArray<string>
  /** What a server's machine holds now, by whatever way it got there. */
  readonly journal: (server: NodeId) => Effect.Effect<ReadonlyArray<string>>
  /** The size of the log on a server's disk. */
  readonly logBytes: (server: NodeId) => Effect.Effect<number>
  /** Which command, counted from 1, stands at an index that is applied. */
  readonly placeOf: (index: LogIndex) => number
  /** The labs' `Start`: `undefined` where the server is not the leader. */
  readonly submit: (server: NodeId, command: string) => Effect.Effect<Position | undefined>
  /** As `submit`, at a server that must be the leader. */
  readonly submitAtLeader: (server: NodeId, command: string) => Effect.Effect<Position>
  /**
   * Gets one command committed by at least `expectedServers` and gives its index. With `retry` it is
   * proposed anew when it got lost; without, that fails the test. Fails after 10 seconds.
   */
  readonly one: (
    command: string,
    options: { readonly expectedServers: number; readonly retry: boolean }
  ) => Effect.Effect<LogIndex>

  readonly disconnect: (server: NodeId) => void
  readonly connect: (server: NodeId) => void
  readonly isConnected: (server: NodeId) => boolean
  readonly crash: (server: NodeId) => Effect.Effect<void>
  /** Starts a server that is down, on what its disk holds. It stays disconnected if it was. */
  readonly start: (server: NodeId) => Effect.Effect<void>
  readonly isUp: (server: NodeId) => boolean
  /** The server `steps` after this one, in a ring. */
  readonly after: (server: NodeId, steps: number) => NodeId

  /** Requests sent so far, and notices, which get no reply. */
  readonly rpcs: () => number
  /** Bytes sent so far, replies included. */
  readonly bytes: () => number
  /** A command that was not used before. */
  readonly newCommand: () => string
}

/** A test on `size` servers. */
export const lab = <E>(
  name: string,
  options: Omit<ClusterOptions, "notifyLost">,
  body: (lab: Lab) => Effect.Effect<void, E>
): void =>
  clusterTest(name, { ...options, notifyLost: false }, (cluster) =>
    cluster.drive(body(make(cluster)), { within: "2 minutes" })
  )

/** The election timeout of the labs, the measure of their sleeps. */
export const labElectionTimeoutMillis = 1000

const make = (cluster: JournalCluster): Lab => {
  const servers = cluster.nodeIds
  const cutOff = new Set<NodeId>()
  let commandNumber = 0

  const isUp = cluster.isUp
  const isConnected = (server: NodeId) => !cutOff.has(server)
  const reachable = () => servers.filter((server) => isUp(server) && isConnected(server))
  const leaders = () => reachable().filter((server) => cluster.state(server).role._tag === "Leader")

  const checkOneLeader = Effect.gen(function* () {
    for (let attempt = 0; attempt < 10; attempt++) {
      yield* Effect.sleep(450 + (yield* Random.nextIntBetween(0, 100)))
      const now = leaders()
      const terms = now.map((server) => cluster.state(server).currentTerm)
      assert.strictEqual(new Set(terms).size, terms.length, `two leaders in one term: ${now.join(", ")}`)
      const newest = now[terms.indexOf(Math.max(...terms) as Term)]
      if (newest !== undefined) return newest
    }
    return assert.fail("expected one leader, got none")
  })

  const nCommitted = (index: LogIndex): Committed => {
    // A server that was given a snapshot has applied what that stands for.
    const entry = cluster.appliedAt(index)
    if (entry?.kind !== "Command") return { count: 0, command: undefined }
    return {
      count: servers.filter((server) => cluster.appliedIndex(server) >= index).length,
      command: Journal.machine.command.decode(entry.payload)
    }
  }

  const submit = (server: NodeId, command: string) =>
    isUp(server)
      ? Effect.catch(cluster.raft(server).submit(command), () => Effect.undefined)
      : Effect.undefined

  const submitAtLeader = (server: NodeId, command: string) =>
    Effect.map(submit(server, command), (position) => position ?? assert.fail(`${server} refused ${command}`))

  const submitAnywhere = Effect.fnUntraced(function* (command: string) {
    for (const server of reachable()) {
      const position = yield* submit(server, command)
      if (position !== undefined) return position
    }
    return undefined
  })

  /** Whether `command` was committed where it was put, or something else was, or nothing for too long. */
  const awaitCommitted = Effect.fnUntraced(function* (
    index: LogIndex,
    command: string,
    expectedServers: number
  ) {
    const giveUpMillis = (yield* Clock.currentTimeMillis) + 2000
    while ((yield* Clock.currentTimeMillis) < giveUpMillis) {
      const committed = nCommitted(index)
      if (committed.count >= expectedServers && committed.command === command) return true
      yield* Effect.sleep(20)
    }
    return false
  })

  const one: Lab["one"] = Effect.fnUntraced(function* (command, { expectedServers, retry }) {
    const giveUpMillis = (yield* Clock.currentTimeMillis) + 10_000
    while ((yield* Clock.currentTimeMillis) < giveUpMillis) {
      const position = yield* submitAnywhere(command)
      if (position === undefined) {
        yield* Effect.sleep(50)
        continue
      }
      if (yield* awaitCommitted(position.index, command, expectedServers)) return position.index
      if (!retry) break
    }
    return assert.fail(`${expectedServers} servers did not agree on "${command}"`)
  })

  return {
    cluster,
    servers,
    checkOneLeader,
    checkTerms: Effect.sync(() => {
      const terms = reachable().map((server) => cluster.state(server).currentTerm)
      for (const term of terms) assert.strictEqual(term, terms[0], "servers disagree on the term")
      return terms[0]!
    }),
    checkNoLeader: Effect.sync(() => assert.deepStrictEqual(leaders(), [])),
    nCommitted,
    commands: (server) =>
      cluster
        .applied(server)
        .filter((entry) => entry.kind === "Command")
        .map((entry) => Journal.machine.command.decode(entry.payload)),
    placeOf: (index) => {
      let place = 0
      for (let at = LogIndexModule.zero; at < index; at = next(at)) {
        if (cluster.appliedAt(next(at))?.kind === "Command") place++
      }
      return place
    },
    journal: (server) =>
      Effect.orDie(cluster.raft(server).read((journal) => journal, { consistency: "stale" })),
    logBytes: (server) =>
      Effect.map(cluster.disk.durable(cluster.identityOf(server)), ({ blocks }) =>
        blocks.reduce((sum, block) => sum + block.bytes.byteLength, 0)
      ),
    submit,
    submitAtLeader,
    one,
    disconnect: (server) => {
      cutOff.add(server)
      cluster.network.isolate(server)
    },
    connect: (server) => {
      cutOff.delete(server)
      cluster.network.rejoin(server)
    },
    isConnected,
    crash: (server) => cluster.kill(server),
    start: (server) =>
      Effect.suspend(() => (isUp(server) ? Effect.void : Effect.orDie(cluster.start(server)))),
    isUp,
    after: (server, steps) => servers[(servers.indexOf(server) + steps) % servers.length]!,
    rpcs: () => requests.reduce((total, tag) => total + cluster.network.traffic({ tag }).messages, 0),
    bytes: () => cluster.network.traffic().bytes,
    newCommand: () => `command ${++commandNumber}`
  }
}

/** The kinds of message that are no answers; notices, which nobody answers, are among them. */
const requests = RaftMessage.members
  .map(({ fields }) => fields._tag.schema.literal)
  .filter((tag) => !isReply(tag))

/** The index after this one. */
export const next = (index: LogIndex): LogIndex => LogIndexModule.plus(index, 1)
