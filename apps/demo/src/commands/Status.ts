/** `effect-raft status`: what the nodes say of themselves. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { CommandFailed, unavailable } from "../ExitCode.ts"
import * as ClientHttp from "../ClientHttp.ts"
import * as Flags from "../Flags.ts"
import * as Store from "../Store.ts"
import * as Table from "../Table.ts"

interface Answer {
  readonly endpoint: string
  /** Nothing if the node does not answer. */
  readonly status: Store.NodeStatus | null
  /** Why it does not. */
  readonly problem?: string
}

export const status = Command.make(
  "status",
  {
    endpoints: Flags.endpoints,
    tls: Flags.httpNodes.tls,
    json: Flag.Boolean("json").pipe(
      Flag.withDescription(
        "Print JSON: one object with endpoint and status for every node; without an answer status is null, " +
          "and problem says why"
      ),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* ({ endpoints, json, tls }) {
    const answers = yield* Effect.provide(
      Effect.forEach(endpoints, ask, { concurrency: 16 }),
      ClientHttp.layer(tls)
    )
    yield* Console.log(json ? JSON.stringify(answers, undefined, 2) : tableOf(answers))
    for (const { endpoint, problem } of answers) {
      if (problem !== undefined) yield* Console.error(`effect-raft: ${endpoint} does not answer: ${problem}`)
    }
    if (answers.every((answer) => answer.status === null)) {
      return yield* new CommandFailed({ message: "no node answers", exitCode: unavailable })
    }
  })
).pipe(
  Command.withDescription(
    "Ask every endpoint how its node is, and print a table. " +
      "Exit codes: 0 at least one node answered; 2 wrong usage; 3 none answered."
  ),
  Command.withShortDescription("Show what the nodes are doing")
)

const ask = (endpoint: string) =>
  Store.ask(endpoint).pipe(
    Effect.map((status): Answer => ({ endpoint, status })),
    Effect.catch((problem) => Effect.succeed<Answer>({ endpoint, status: null, problem }))
  )

const heading = ["ENDPOINT", "NODE", "MEMBER", "ROLE", "TERM", "LEADER", "COMMIT", "APPLIED", "LAST"]

const tableOf = (answers: ReadonlyArray<Answer>): string => Table.format([heading, ...answers.map(rowOf)])

const rowOf = ({ endpoint, status: answer }: Answer): ReadonlyArray<string> =>
  answer === null
    ? [endpoint, "no answer"]
    : [
        endpoint,
        answer.node,
        answer.members.find(({ id }) => id === answer.node)?.role ?? "no member",
        answer.role,
        ...[String(answer.term), answer.leader ?? "none"],
        ...[answer.commit, answer.applied, answer.last].map(String)
      ]
