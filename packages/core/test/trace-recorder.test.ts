/** What a recorder makes of a node's life, one call after the other. */
import { assert, describe, it } from "@effect/vitest"
import * as NodeState from "../src/consensus/NodeState.ts"
import * as LogIndex from "../src/LogIndex.ts"
import * as Membership from "../src/Membership.ts"
import { NodeId } from "../src/NodeId.ts"
import { RaftConfig } from "../src/RaftConfig.ts"
import * as Term from "../src/Term.ts"
import type { TraceEvent } from "../src/TraceEvent.ts"
import * as TraceEvents from "../src/TraceEvent.ts"
import * as TraceRecorder from "../src/TraceRecorder.ts"

describe("a recorder", () => {
  const [n1, n2] = [NodeId.make("n1"), NodeId.make("n2")]
  const initial = NodeState.initial({
    self: n1,
    config: RaftConfig.make({}),
    membership: Membership.ofVoters({ n1: "memory:n1" }),
    hardState: { currentTerm: Term.zero, votedFor: null },
    base: { index: LogIndex.zero, term: Term.zero },
    blocks: [],
    committed: LogIndex.zero,
    snapshot: undefined,
    firstRequestId: 0,
    stamp: { nowMillis: 0, wallMillis: 0, jitter: 0 }
  })

  const start = () => {
    const events: Array<TraceEvent> = []
    const recorder = TraceRecorder.make({
      nodeId: n1,
      nowMillis: () => 1.23456,
      emit: (event) => void events.push(event)
    })
    recorder.onStart?.(initial, 0)
    return { recorder, events }
  }

  it("tells of a new membership, and of both sets of voters while there are two", () => {
    const { recorder, events } = start()
    const membership: Membership.Membership = {
      _tag: "Joint",
      voters: [{ id: n2, address: "memory:n2" }],
      learners: [],
      outgoing: initial.membership.voters
    }
    recorder.onStep?.({ before: initial, after: { ...initial, membership }, actions: [] })
    assert.deepInclude(events[1], { _tag: "ConfigurationAdopted", membership, voters: [n2], outgoing: [n1] })
    assert.deepStrictEqual(TraceEvents.fromLine(TraceEvents.toLine(events[1]!)), events[1])
    assert.deepInclude(TraceEvents.momentOf(events[1]!), { outgoing: [n1], timeMillis: 1.235 })
  })

  it("says nothing more of a node that has lost its power", () => {
    const { recorder, events } = start()
    recorder.onCrash("Kept")
    recorder.onEvent?.({ _tag: "ElectionDue" })
    recorder.onCrash("Lost")
    assert.deepStrictEqual(
      events.slice(1).map(({ _tag }) => _tag),
      ["Crashed"]
    )
  })
})
