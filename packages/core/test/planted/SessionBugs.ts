/**
 * Bugs around clients' sessions: what is applied again, what is forgotten, and whose clock decides.
 */
import * as Aims from "./Aims.ts"
import type { Bug } from "./Bug.ts"

export const sessionBugs: ReadonlyArray<Bug> = [
  {
    name: "a retry is applied twice",
    claim: "a command whose number was executed already is answered without executing it again (thesis, 6.3)",
    file: "sessions/SessionTable.ts",
    find: "const known = replies.get(sequence)",
    replace: "const known = undefined"
  },
  {
    name: "a session expires by local time",
    claim: "all servers agree on when a session expires (thesis, 6.3)",
    file: "internal/Applier.ts",
    find: "const replica = Replica.make(machine)",
    replace: `const clock = yield* Effect.clockWith(Effect.succeed)
    const made = Replica.make(machine)
    const replica = {
      ...made,
      apply: (entry) => made.apply({ ...entry, timestampMillis: clock.currentTimeMillisUnsafe() })
    }`
  },
  {
    name: "a snapshot leaves the sessions out",
    claim: "sessions are part of the replicated state (thesis, 6.3)",
    file: "sessions/SessionTable.ts",
    find: "if (this.sessions.size === 0) return undefined",
    replace: "return undefined"
  },
  {
    name: "a late copy of a command that was given up is applied",
    claim: "the client will not send a number below what it has acknowledged (thesis, 6.3)",
    file: "sessions/SessionTable.ts",
    find: "if (sequence < session.acknowledgedBelow) {",
    replace: "if (sequence < 0) {",
    aim: Aims.all(Aims.laggards, Aims.lateWords, Aims.busy)
  },
  {
    name: "an expired session lives until it is looked for",
    claim: "all servers agree on when a session expires (thesis, 6.3)",
    file: "sessions/SessionTable.ts",
    find: "if (!this.isOverdue(session)) return session",
    replace: "return session"
  },
  {
    name: "sessions expire while there is no leader to be heard by",
    claim:
      "idleness is counted from the beginning of the leader's term at the earliest (docs/decisions/0025)",
    file: "sessions/SessionTable.ts",
    find: "const idleSinceMillis = Math.max(session.lastActiveMillis, this.termBeganMillis)",
    replace: "const idleSinceMillis = session.lastActiveMillis"
  },
  {
    name: "answers are kept for ever",
    claim: "what the client has acknowledged is discarded (thesis, 6.3)",
    file: "sessions/SessionTable.ts",
    find: "session.replyBytes -= reply.bytes.byteLength",
    replace: ""
  },
  {
    name: "the last try speaks for all",
    claim: "a command that may have happened did not surely not happen (RaftError.outcome)",
    file: "Session.ts",
    find: "Effect.mapError((error) => (mayHaveHappened ? inDoubt(error) : error))",
    replace: "Effect.mapError((error) => error)"
  },
  {
    name: "a command that is tried again gets a new number",
    claim: "a retry has the number of the first try (thesis, 6.3)",
    file: "Session.ts",
    find: "return listen(operations.propose({ session: id, sequence, acknowledgedBelow, command }))",
    replace:
      "return listen(operations.propose({ session: id, sequence: numbers.next++, acknowledgedBelow, command }))",
    aim: Aims.all(Aims.usurped, Aims.busy, Aims.patient)
  }
]
