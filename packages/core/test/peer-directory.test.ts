/** Whom a node talks to: those of the last membership in its log, and those who may be members again. */
import { assert, describe, it } from "@effect/vitest"
import * as Configurations from "@effect-raft/core/consensus/Configurations"
import * as NodeState from "@effect-raft/core/consensus/NodeState"
import * as PeerDirectory from "@effect-raft/core/internal/PeerDirectory"
import * as LogEntry from "@effect-raft/core/LogEntry"

import * as LogIndex from "@effect-raft/core/LogIndex"
import * as Membership from "@effect-raft/core/Membership"
import { NodeId } from "@effect-raft/core/NodeId"
import { RaftConfig } from "@effect-raft/core/RaftConfig"
import * as Term from "@effect-raft/core/Term"

const addressOf = (id: string) => `memory:${id}`
const voters = (...ids: ReadonlyArray<string>) =>
  Membership.ofVoters(Object.fromEntries(ids.map((id) => [id, addressOf(id)])))

/** What n1 was started with, and the three changes that stand in its log at 1, 2 and 3. */
const atStart = voters("n1", "n2", "n9")
const changes = [voters("n1", "n2", "n3"), voters("n1", "n2", "n4"), voters("n1", "n4", "n5")]

/** n1 as it comes back: it knows of no commit. */
const restarted = NodeState.initial({
  self: NodeId.make("n1"),
  config: RaftConfig.make({}),
  membership: atStart,
  hardState: { currentTerm: Term.Term.make(1), votedFor: null },
  base: { index: LogIndex.zero, term: Term.zero },
  blocks: [
    LogEntry.encodeBlock(
      changes.map((membership) => ({
        kind: "Configuration" as const,
        payload: Membership.toPayload(membership)
      })),
      { firstIndex: LogIndex.LogIndex.make(1), term: Term.Term.make(1), timestampMillis: 0 }
    )
  ],
  committed: LogIndex.zero,
  snapshot: undefined,
  firstRequestId: 0,
  stamp: { nowMillis: 0, wallMillis: 0, jitter: 0 }
})

const peersOf = (state: NodeState.NodeState): Array<string> =>
  Array.from(PeerDirectory.peers(state).keys()).toSorted()

describe("the peers of a node", () => {
  it("that was just started are those of the last membership in its log, committed or not (paper, section 6)", () => {
    assert.includeMembers(peersOf(restarted), ["n4", "n5"])
  })

  it("are, as long as the last change may be cut away, also those of the membership before", () => {
    assert.include(peersOf(restarted), "n2")
    const cut = {
      ...restarted,
      configurations: Configurations.truncateFrom(restarted.configurations, LogIndex.LogIndex.make(3))
    }
    assert.includeMembers(peersOf(cut), ["n2", "n4"])
  })

  it("are none of an earlier membership: the change before the last is committed, whatever a node knows of commits", () => {
    assert.deepStrictEqual(peersOf(restarted), ["n2", "n4", "n5"])
  })

  it("are those of the last membership alone once that is committed", () => {
    assert.deepStrictEqual(peersOf({ ...restarted, commitIndex: LogIndex.LogIndex.make(3) }), ["n4", "n5"])
  })
})
