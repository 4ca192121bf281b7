/**
 * Bugs in the shipped node around the rules: the actor, the log writer, the applier, the passing on of
 * commands. The rule tests and the scripts cannot see them; whole clusters must.
 */
import * as Aims from "./Aims.ts"
import type { Bug } from "./Bug.ts"

export const nodeBugs: ReadonlyArray<Bug> = [
  {
    name: "the actor sends without waiting for the disk",
    claim: "servers update stable storage before they respond (paper, figure 2)",
    file: "internal/Outbox.ts",
    find: 'else if (action._tag === "SendWhenDurable") this.holdBack(action)',
    replace: 'else if (action._tag === "SendWhenDurable") this.send(action.to, action.message)'
  },
  {
    name: "a write is told before it has ended",
    claim: "servers update stable storage before they respond (paper, figure 2)",
    file: "internal/LogWriter.ts",
    find: "      isWriting = true",
    replace: "      isWriting = true\n      onPersisted(persistedWith(last))"
  },
  {
    name: "a write that the disk has put off is taken for done",
    claim: "servers update stable storage before they respond (paper, figure 2)",
    file: "internal/LogWriter.ts",
    find: "return store.writeNow(asOne(persists)) ? persistedWith(last) : undefined",
    replace: "store.writeNow(asOne(persists))\n        return persistedWith(last)",
    aim: Aims.slowDisks
  },
  {
    name: "a failed write is taken for done",
    claim: "a node whose disk failed stops (docs/ARCHITECTURE.md)",
    file: "internal/LogWriter.ts",
    find: "Effect.map(store.write(asOne(waiting)), () => {",
    replace: "Effect.map(Effect.ignore(store.write(asOne(waiting))), () => {"
  },
  {
    name: "two writes made one lose a truncation",
    claim: "an existing entry that conflicts is deleted with all that follow it (paper, 5.3)",
    file: "internal/LogWriter.ts",
    find: "reachesDisk && cut < (first.truncateFrom ?? Infinity) ? cut : first.truncateFrom",
    replace: "first.truncateFrom"
  },
  {
    name: "two writes made one lose term and vote",
    claim: "currentTerm and votedFor are persistent state (paper, figure 2)",
    file: "internal/LogWriter.ts",
    find: "second.hardState ?? first.hardState",
    replace: "second.hardState"
  },
  {
    name: "commands are applied before they are committed",
    claim: "an entry is applied once it is safe to (paper, 5.3)",
    file: "internal/Turns.ts",
    find: "applier.advance(state.log, state.commitIndex)",
    replace: "applier.advance(state.log, state.log.lastIndex)"
  },
  {
    name: "the applier leaves out an entry between two portions",
    claim: "entries are applied in order, each once (paper, 5.3)",
    file: "internal/Applier.ts",
    find: "const last = LogIndex.min(committed, LogIndex.plus(applied, portion))",
    replace:
      "const last = LogIndex.min(committed, LogIndex.plus(applied, portion))\n      if (last < committed) applied = LogIndex.plus(applied, 1)",
    aim: Aims.backlog
  },
  {
    name: "the applier applies an entry again between two portions",
    claim: "entries are applied in order, each once (paper, 5.3)",
    file: "internal/Applier.ts",
    find: "const last = LogIndex.min(committed, LogIndex.plus(applied, portion))",
    replace:
      "const last = LogIndex.min(committed, LogIndex.plus(applied, portion))\n      if (last < committed && applied > 0) applied = LogIndex.plus(applied, -1)",
    aim: Aims.backlog
  },
  {
    name: "a restarted node applies its log to the state from before",
    claim: "a restarted machine begins where lastApplied says (paper, figure 2)",
    file: "RaftNode.ts",
    find: "Applier.make({\n      machine,",
    replace:
      "Applier.make({\n      machine: { ...machine, make: () => (transport[nodeId] ??= machine.make()) },"
  },
  {
    name: "a read runs before the state is fresh enough",
    claim: "a read waits until its read index is applied (thesis, 6.4)",
    file: "internal/Applier.ts",
    find: "if (applied >= index) return resume()",
    replace: "return resume()"
  },
  {
    name: "a forwarded command that arrives twice is taken twice",
    claim: "a command that is proposed once is executed at most once (paper, 8)",
    file: "internal/Admission.ts",
    find: 'if (this.taken.get(term)?.get(from)?.has(requestId) === true) return "Ignore"',
    replace: ""
  },
  {
    name: "a leader's silence is taken for a refusal",
    claim: "a command of which nothing is known is not tried again (docs/ARCHITECTURE.md)",
    file: "internal/Forwarder.ts",
    find: "sentMillis <= sinceMillis).forEach(giveUp)",
    replace: "sentMillis <= sinceMillis).forEach(({ tell }) => tell(Effect.succeed(refused(null))))",
    aim: Aims.all(Aims.usurped, Aims.busy, Aims.patient)
  },
  {
    name: "callers are forgotten when the leader steps down",
    claim: "every call ends (DESIGN, 2)",
    file: "internal/Turns.ts",
    find: "slots.failAfter(state.commitIndex)",
    replace: "",
    aim: Aims.all(Aims.usurped, Aims.busy, Aims.patient)
  },
  {
    name: "memory of the log is used again while it is written",
    claim: "a block stands still until its write has ended (docs/decisions/0051-memory-of-the-log.md)",
    file: "internal/ReusedMemory.ts",
    find: "this.retired[0]!.ticket <= persisted",
    replace: "this.retired[0]!.ticket >= 0",
    aim: Aims.all(Aims.slowDisks, Aims.compacting)
  },
  {
    name: "memory of the log is used again while entries are in it",
    claim: "the log keeps what no snapshot covers (paper, 7)",
    file: "internal/ReusedMemory.ts",
    find: "inLog.add(log.chunks[at]!.bytes.buffer)",
    replace: "if (at > 0) inLog.add(log.chunks[at]!.bytes.buffer)",
    aim: Aims.compacting
  }
]
