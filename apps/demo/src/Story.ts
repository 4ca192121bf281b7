/**
 * The short story of a cluster: nodes start, one leads, keys are written through one node and read from
 * another, the leader is killed, another takes over, nothing is lost, and the dead node comes back.
 *
 * The story is also a check. Each thing it tells it has looked at, and it ends well only if all of it
 * held.
 */
import * as Bytes from "effect/Bytes"
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as Cluster from "./Cluster.ts"
import type { ClusterPlan } from "./ClusterPlan.ts"
import { fail } from "./ExitCode.ts"
import * as Narrator from "./Narrator.ts"
import * as NodeProcess from "./NodeProcess.ts"
import * as Observation from "./Observation.ts"
import * as Store from "./Store.ts"
import * as StoryKeys from "./StoryKeys.ts"

/** The fewest nodes of which one may die. */
export const fewestNodes = 3

/** What every chapter works with. */
interface Stage {
  readonly narrator: Narrator.Narrator
  readonly cluster: Cluster.Cluster
  readonly keys: StoryKeys.StoryKeys
}

/** Tells the story on the cluster of this plan. Fails if something in it did not hold. */
export const tell = Effect.fnUntraced(function* (
  plan: ClusterPlan,
  keys: StoryKeys.StoryKeys,
  flags: ReadonlyArray<string>
) {
  const narrator = yield* Narrator.make
  const stage: Stage = { narrator, keys, cluster: yield* Cluster.make(plan, flags) }
  yield* chapters(stage).pipe(Effect.catch((error) => narrator.check("", error.message, false)))
  const broken = narrator.broken()
  if (broken.length === 0) return yield* Console.log("\neverything held")
  return yield* fail(
    ["this did not hold:", ...broken, `What the nodes said is in ${plan.directory}/*.log`].join("\n  ")
  )
}, Effect.scoped)

const chapters = Effect.fnUntraced(function* (stage: Stage) {
  yield* start(stage)
  const leader = yield* elect(stage, stage.cluster.members)
  const survivors = stage.cluster.members.filter((member) => member !== leader)
  const [writer, reader] = yield* twoOf(survivors)
  yield* write(stage, writer)
  yield* readBack(stage, reader)
  yield* failOver(stage, leader, survivors)
  yield* readBack(stage, writer)
  yield* comeBack(stage, leader)
  yield* stop(stage)
})

const twoOf = ([first, second]: ReadonlyArray<Cluster.Member>) =>
  first === undefined || second === undefined
    ? Effect.fail(fail(`the story needs ${fewestNodes} nodes`))
    : Effect.succeed([first, second] as const)

const start = Effect.fnUntraced(function* ({ narrator, cluster }: Stage) {
  yield* narrator.say(
    "start",
    `${cluster.members.length} nodes, each a process; their data is in ${cluster.plan.directory}`
  )
  for (const member of cluster.members) yield* member.start
  yield* Effect.forEach(
    cluster.members,
    (member) =>
      Effect.andThen(member.ready, narrator.say("", `${member.plan.id} is ready: ${member.plan.url}`)),
    { concurrency: "unbounded", discard: true }
  )
})

const elect = Effect.fnUntraced(function* ({ narrator }: Stage, members: ReadonlyArray<Cluster.Member>) {
  const status = yield* Observation.awaitLeader(members)
  const leader = members.find(({ plan }) => plan.id === status.node)
  if (leader === undefined) return yield* fail(`${status.node} leads, but is none of this cluster's nodes`)
  yield* narrator.say("elect", `${leader.plan.id} leads in term ${status.term}`)
  return leader
})

const write = Effect.fnUntraced(function* ({ narrator, keys }: Stage, through: Cluster.Member) {
  const count = keys.pairs.length
  yield* narrator.say(
    "write",
    `${count} ${count === 1 ? "key" : "keys"} ${keys.origin}, through ${through.plan.id}, a follower`
  )
  for (const { key, value } of keys.pairs) {
    const revision = yield* Store.use({ endpoints: [through.plan.url] }, (kv) => kv.put(key, value))
    yield* narrator.say("", `${key} = ${StoryKeys.show(value)}, revision ${revision}`)
  }
})

const readBack = Effect.fnUntraced(function* ({ narrator, keys }: Stage, from: Cluster.Member) {
  const expected = StoryKeys.lastOfEach(keys.pairs)
  let equal = 0
  for (const { key, value } of expected) {
    const found = Option.getOrUndefined(yield* Store.use({ endpoints: [from.plan.url] }, (kv) => kv.get(key)))
    if (found !== undefined && Bytes.Equivalence(found.value, value)) equal++
    else {
      const what = found === undefined ? "nothing" : StoryKeys.show(found.value)
      yield* narrator.check(
        "",
        `${from.plan.id} answers ${key} with ${StoryKeys.show(value)}, not with ${what}`,
        false
      )
    }
  }
  yield* narrator.check(
    "read",
    `${equal} of ${expected.length} from ${from.plan.id} are as written`,
    equal === expected.length
  )
})

const failOver = Effect.fnUntraced(function* (
  stage: Stage,
  leader: Cluster.Member,
  survivors: ReadonlyArray<Cluster.Member>
) {
  const { narrator } = stage
  const life = yield* SubscriptionRef.get(leader.life)
  const pid = life._tag === "Running" ? ` (pid ${life.process.pid})` : ""
  yield* narrator.say("kill", `${leader.plan.id}, the leader${pid}, with SIGKILL`)
  const killedMillis = yield* Clock.currentTimeMillis
  yield* leader.kill("SIGKILL")
  const ending = yield* leader.ended
  yield* narrator.check("", `${leader.plan.id} was ${NodeProcess.describe(ending)}`, ending.by === "SIGKILL")
  const successor = yield* elect(stage, survivors)
  yield* writeOn(stage, successor)
  const outageMillis = (yield* Clock.currentTimeMillis) - killedMillis
  yield* narrator.say("", `${Narrator.seconds(outageMillis)} from the kill to the first write after it`)
})

/** Writes the last key once more: its value stays, its revision grows. */
const writeOn = Effect.fnUntraced(function* ({ narrator, keys }: Stage, through: Cluster.Member) {
  const last = keys.pairs.at(-1)
  if (last === undefined) return
  const revision = yield* Store.use({ endpoints: [through.plan.url] }, (kv) => kv.put(last.key, last.value))
  yield* narrator.say("write", `goes on: ${last.key} again, revision ${revision}`)
})

const comeBack = Effect.fnUntraced(function* (stage: Stage, member: Cluster.Member) {
  yield* stage.narrator.say("restart", `${member.plan.id}, on the directory that it left behind`)
  yield* member.start
  yield* member.ready
  yield* Observation.awaitLeader(stage.cluster.members)
  yield* readBack(stage, member)
})

const stop = Effect.fnUntraced(function* ({ narrator, cluster }: Stage) {
  yield* narrator.say("stop", "all nodes")
  const endings = yield* Effect.forEach(
    cluster.members,
    (member) => Effect.andThen(member.kill("SIGTERM"), member.ended),
    { concurrency: "unbounded" }
  )
  for (const [at, ending] of endings.entries()) {
    const id = cluster.members[at]?.plan.id ?? ""
    yield* narrator.check("", `${id} ${NodeProcess.describe(ending)}`, ending.by === 0)
  }
})
