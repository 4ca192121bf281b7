/**
 * A node without a cluster: one copy of the machine in memory behind the `Raft` interface, told by the
 * test how to fail. It goes through the machine's codecs, as a log would.
 */
import * as Membership from "@effect-raft/core/Membership"
import type { MembershipChange } from "@effect-raft/core/MembershipChange"
import { ClusterId, defaultGroup, NodeId } from "@effect-raft/core/NodeId"
import type { RaftStatus } from "@effect-raft/core/RaftStatus"
import type { RaftError } from "@effect-raft/core/RaftError"
import * as LocalSessions from "@effect-raft/core/testing/LocalSessions"
import type { SnapshotMeta } from "@effect-raft/core/Snapshot"
import * as StateMachineContract from "@effect-raft/core/testing/StateMachineContract"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import type { Term } from "@effect-raft/core/Term"
import { KvMachine } from "../../src/KvMachine.ts"

const limits = { timeoutMillis: 60_000, maxReplies: 256, maxReplyBytes: 64 * 1024 }

export interface FakeRaft {
  /** What every call fails with from now on; `undefined`, none. */
  failWith: RaftError | undefined
  /** Commands that reached the log. */
  readonly commands: Array<string>
  /** Consistencies that reads asked for. */
  readonly reads: Array<string>
  /** Changes of the membership that were asked for. */
  readonly changes: Array<MembershipChange>
  leader: NodeId | null
  readonly stop: (error: RaftError) => Effect.Effect<void>
  readonly layer: Layer.Layer<KvMachine>
}

export const make = (name = "n1"): FakeRaft => {
  const { machine } = KvMachine
  const instance = machine.make()
  const nodeId = NodeId.make(name)
  const failure = Deferred.makeUnsafe<never, RaftError>()
  let applied = 0

  const status = (): RaftStatus => {
    const { index, term } = StateMachineContract.metaAt(applied - 1)
    return {
      clusterId: ClusterId.make("test"),
      groupId: defaultGroup,
      nodeId,
      role: fake.leader === nodeId ? "Leader" : "Follower",
      term: term,
      leader: fake.leader,
      commitIndex: index,
      appliedIndex: index,
      machineVersion: 0,
      lastIndex: index,
      membership: Membership.ofVoters({ n1: "127.0.0.1:7001", n2: "127.0.0.1:7002" }),
      transferTo: null
    }
  }

  const proposeAt: (typeof KvMachine.Raft)["Service"]["proposeAt"] = (command) =>
    Effect.suspend(() => {
      if (fake.failWith !== undefined) return Effect.fail(fake.failWith)
      const meta = StateMachineContract.metaAt(applied++)
      fake.commands.push(`${command._tag} ${command.key}`)
      const decoded = machine.command.decode(machine.command.encode(command))
      const reply = machine.reply.decode(machine.reply.encode(instance.apply(decoded, meta)))
      return Effect.succeed({ index: meta.index, term: meta.term, reply })
    })

  const fake: FakeRaft = {
    failWith: undefined,
    commands: [],
    reads: [],
    changes: [],
    leader: nodeId,
    stop: (error) => Effect.asVoid(Deferred.fail(failure, error)),
    layer: Layer.succeed(KvMachine.Raft, {
      nodeId,
      proposeAt,
      propose: (command) => Effect.map(proposeAt(command), ({ reply }) => reply),
      submit: (command) => Effect.map(proposeAt(command), ({ index, term }) => ({ index, term })),
      sessions: LocalSessions.make(machine, { limits }).operations,
      committed: () => Stream.empty,
      read: (f, options) =>
        Effect.suspend(() => {
          fake.reads.push(options?.consistency ?? "linearizable")
          return fake.failWith === undefined ? Effect.succeed(f(instance.view())) : Effect.fail(fake.failWith)
        }),
      readStale: (f) =>
        Effect.succeed({ value: f(instance.view()), index: status().appliedIndex, ageMillis: 0 }),
      transferLeadership: (options) =>
        Effect.suspend(() =>
          fake.failWith === undefined ? Effect.succeed(options?.to ?? nodeId) : Effect.fail(fake.failWith)
        ),
      changeMembership: (change) =>
        Effect.suspend(() => {
          fake.changes.push(change)
          return fake.failWith === undefined
            ? Effect.succeed(status().membership)
            : Effect.fail(fake.failWith)
        }),
      snapshot: Effect.suspend(() =>
        fake.failWith === undefined
          ? Effect.succeed({ meta: snapshotMeta(status()), pieces: instance.snapshot() })
          : Effect.fail(fake.failWith)
      ),
      status: Effect.sync(status),
      changes: Stream.sync(status),
      leader: Stream.sync(() => fake.leader),
      attributesOf: (id) => (id === "n2" ? { http: "http://127.0.0.1:8002", client: "127.0.0.1:9002" } : {}),
      waiting: Effect.succeed({ proposals: 0, reads: 0, forwarded: 0 }),
      entrance: {
        welcome: () => ({
          clusterId: ClusterId.make("test"),
          groupId: defaultGroup,
          nodeId,
          maxInFlight: 1,
          leaderAt: null
        }),
        admit: () => ({ take: () => undefined, end: () => undefined })
      },
      failure: Deferred.await(failure)
    })
  }
  return fake
}

const snapshotMeta = ({ appliedIndex, membership, term: lastTerm }: RaftStatus): SnapshotMeta => ({
  id: `n1-${appliedIndex}`,
  lastIndex: appliedIndex,
  lastTerm,
  lastTimestampMillis: 1,
  membership
})

/** A term, for errors that want one. */
export const term = (number: number): Term => number as Term
