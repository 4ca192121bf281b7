/** `effect-raft transfer`: hands the leadership over, as before maintenance of the leader's machine. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Flags from "../Flags.ts"
import * as Operator from "../Operator.ts"

export const transfer = Command.make(
  "transfer",
  {
    ...Flags.httpNodes,
    to: Flags.nodeIdFlag("to").pipe(
      Flag.withDescription("Who is to lead; the voter that has most of the log if left out"),
      Flag.optional
    )
  },
  Effect.fnUntraced(function* ({ to, ...nodes }) {
    const { leader } = yield* Operator.atLeader(
      nodes,
      (client) => client.transferLeadership({ payload: Option.isNone(to) ? {} : { to: to.value } }),
      { lookAt: "effect-raft status" }
    )
    yield* Console.log(`${leader} leads`)
  })
).pipe(
  Command.withDescription(
    "Hand the leadership over to another voter. Writes wait for it, no longer than an election timeout; when the " +
      "other one does not get there in time, the leader leads on. A leader that is stopped with SIGTERM does this by " +
      "itself. Exit codes: 0 done; 1 refused, or given up; 2 wrong usage; 3 no leader, and surely nothing happened; " +
      "4 it may or may not have happened."
  ),
  Command.withShortDescription("Hand the leadership over")
)
