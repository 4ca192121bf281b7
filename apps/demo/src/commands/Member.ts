/** `effect-raft member`: who belongs to the cluster, and changing that while it serves. */
import type { MembershipChange } from "@effect-raft/core/MembershipChange"
import type { NodeId } from "@effect-raft/core/NodeId"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { fail } from "../ExitCode.ts"
import * as Flags from "../Flags.ts"
import * as Operator from "../Operator.ts"
import type * as Store from "../Store.ts"
import * as Table from "../Table.ts"

type Nodes = Required<Store.Nodes>

const nodes = {
  ...Flags.httpNodes,
  timeoutMillis: Flags.intAtLeast("timeout", 1).pipe(
    Flag.withMetavar("MILLIS"),
    Flag.withDescription(
      "How long to wait for a leader, and then for new members to have the log; 60000 by default"
    ),
    Flag.withDefault(60_000)
  )
}

const codesHelp =
  "Exit codes: 0 done; 1 refused, or new members do not have the log yet; 2 wrong usage; 3 no leader, and surely " +
  "nothing happened; 4 it may or may not have happened."

const lookAt = "effect-raft member list"

// --- what the commands do -------------------------------------------------------------------------------

const change = (nodes: Nodes, asked: MembershipChange, waitingOut: ReadonlyArray<string> = []) =>
  Operator.atLeader(nodes, (client) => client.changeMembership({ payload: asked }), { lookAt, waitingOut })

/** Makes sure that a node is a member, as a learner first; nothing is done if it is one. */
const addLearner = Effect.fnUntraced(function* (nodes: Nodes, place: Place, autoPromote: boolean) {
  const { members } = yield* Operator.look(nodes)
  const member = members.find(({ id }) => id === place.nodeId)
  if (member === undefined) {
    yield* change(nodes, { _tag: "AddLearner", ...place, autoPromote })
    return yield* Console.log(`${place.nodeId} is a learner and gets the log`)
  }
  if (member.address !== place.address) {
    return yield* fail(
      `${place.nodeId} is a member already, at ${member.address}; \`effect-raft member move\` changes its address`
    )
  }
})

type Place = ReturnType<typeof Flags.memberPlace>

const print = (members: ReadonlyArray<Operator.Member>, leader: string | null) =>
  Console.log(
    Table.format([
      ["NODE", "MEMBER", "ADDRESS", "HTTP", ""],
      ...members.map(({ address, http, id, role }) => [
        ...[id, role, address, http ?? "unknown"],
        id === leader ? "leader" : ""
      ])
    ])
  )

const show = (nodes: Nodes) =>
  Effect.flatMap(Operator.look(nodes), ({ leader, members }) => print(members, leader))

// --- the commands ---------------------------------------------------------------------------------------

const list = Command.make(
  "list",
  {
    ...nodes,
    json: Flag.Boolean("json").pipe(
      Flag.withDescription("Print JSON: the leader and the members"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* ({ json, ...nodes }) {
    const { leader, members } = yield* Operator.look(nodes)
    yield* json ? Console.log(JSON.stringify({ leader, members }, undefined, 2)) : print(members, leader)
  })
).pipe(
  Command.withDescription(
    "Show who belongs to the cluster. A voter counts to the majority; a learner gets the log and does not count. " +
      "While one set of voters takes over from another, those of the new are joining, those of the old leaving. " +
      codesHelp
  ),
  Command.withShortDescription("Show who belongs to the cluster")
)

const place = Flags.argument("name=host:port", Flags.memberPlace).pipe(
  Argument.withDescription("The node, and where its peers reach it, such as n4=127.0.0.1:7004")
)

const add = Command.make(
  "add",
  {
    ...nodes,
    place,
    learner: Flag.Boolean("learner").pipe(
      Flag.withDescription("Leave it a learner, until `effect-raft member promote`"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* ({ learner, place, ...nodes }) {
    yield* addLearner(nodes, place, !learner)
    if (!learner) yield* becomesVoter(nodes, place.nodeId)
    yield* show(nodes)
  })
).pipe(
  Command.withDescription(
    "Add a node, which was started with `effect-raft serve --join`. It gets the log as a learner, and becomes a voter " +
      "when it has it; the command waits for that. " +
      codesHelp
  ),
  Command.withShortDescription("Add a node to the cluster")
)

const becomesVoter = Effect.fnUntraced(function* (nodes: Nodes, nodeId: NodeId) {
  const isVoter = (members: ReadonlyArray<Operator.Member>) =>
    members.some(({ id, role }) => id === nodeId && role === "voter")
  if (Option.isNone(yield* Operator.waitFor(nodes, isVoter))) {
    return yield* fail(
      `${nodeId} does not have the log yet, after ${nodes.timeoutMillis} ms; it becomes a voter by itself when it has. ` +
        `Is it running, with --join, and reached at its address?`
    )
  }
  yield* Console.log(`${nodeId} is a voter`)
})

const node = Flags.argument("name", Flags.nodeName).pipe(Argument.withDescription("The node's name"))

/** A command that is one change of one member. */
const simple = <Name extends string>(
  name: Name,
  description: string,
  asked: (nodeId: NodeId) => MembershipChange
) =>
  Command.make(name, { ...nodes, node }, ({ node, ...nodes }) =>
    Effect.andThen(change(nodes, asked(node)), show(nodes))
  ).pipe(
    Command.withDescription(`${description} ${codesHelp}`),
    Command.withShortDescription(description.slice(0, description.indexOf(".")))
  )

const promote = simple(
  "promote",
  "Make a learner a voter. Refused while it lacks much of the log.",
  (nodeId) => ({ _tag: "Promote", nodeId })
)

const demote = simple("demote", "Make a voter a learner. It gets the log and counts no more.", (nodeId) => ({
  _tag: "Demote",
  nodeId
}))

const remove = simple(
  "remove",
  "Remove a node from the cluster. Stop its process afterwards; its name must not be used again for another node. " +
    "A leader that is removed leads until the change is committed.",
  (nodeId) => ({ _tag: "Remove", nodeId })
)

const move = Command.make("move", { ...nodes, place }, ({ place, ...nodes }) =>
  Effect.andThen(change(nodes, { _tag: "Move", ...place }), show(nodes))
).pipe(
  Command.withDescription(
    `Tell the cluster that a member is reached at another address from now on. ${codesHelp}`
  ),
  Command.withShortDescription("Change a member's address")
)

const replace = Command.make(
  "replace",
  {
    ...nodes,
    places: Argument.String("name=host:port").pipe(
      Argument.withDescription("The voters there are to be; each as in `effect-raft member add`"),
      Argument.variadic({ min: 1 }),
      Argument.mapTryCatch(
        (texts) => texts.map(Flags.memberPlace),
        (error) => (error instanceof Error ? error.message : String(error))
      )
    )
  },
  Effect.fnUntraced(function* ({ places, ...nodes }) {
    yield* Effect.forEach(places, (place) => addLearner(nodes, place, false), { discard: true })
    const voters = places.map(({ nodeId }) => nodeId)
    yield* change(nodes, { _tag: "ReplaceVoters", voters }, ["LearnerLags", "QuorumUnreachable"])
    yield* Console.log(`${voters.join(", ")} are the voters`)
  })
).pipe(
  Command.withDescription(
    "Replace all voters at once, by way of joint consensus: those named are the voters afterwards, the others leave. " +
      "New ones get the log as learners first. " +
      codesHelp
  ),
  Command.withShortDescription("Replace all voters at once")
)

export const member = Command.make("member").pipe(
  Command.withDescription("Show who belongs to the cluster, and change it while it serves."),
  Command.withShortDescription("Show and change who belongs to the cluster"),
  Command.withSubcommands([list, add, promote, demote, remove, replace, move])
)
