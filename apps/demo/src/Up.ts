/**
 * A cluster that stays up and is watched: every node's line on the screen, and, if wanted, whoever dies
 * started again.
 */
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Stdio from "effect/Stdio"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as Terminal from "effect/Terminal"
import * as Cluster from "./Cluster.ts"
import type { ClusterPlan } from "./ClusterPlan.ts"
import { fail } from "./ExitCode.ts"
import * as StatusBoard from "./StatusBoard.ts"
import * as Store from "./Store.ts"

export interface UpOptions {
  readonly plan: ClusterPlan
  /** Start a node again that died. */
  readonly restart: boolean
  /** Handed to every `serve`. */
  readonly flags: ReadonlyArray<string>
}

/** Runs until it is interrupted; fails when no node is left. */
export const run = Effect.fnUntraced(function* ({ plan, restart, flags }: UpOptions) {
  yield* introduce(plan)
  yield* Effect.addFinalizer(() => Console.log("all nodes have stopped"))
  const cluster = yield* Cluster.make(plan, flags)
  yield* Effect.addFinalizer(() => Console.log("stopping"))
  for (const member of cluster.members) yield* member.start
  if (restart) {
    yield* Effect.forEach(cluster.members, (member) =>
      keepAlive(member).pipe(
        Effect.annotateLogs({ fiber: `restarter of ${member.plan.id}` }),
        Effect.forkScoped
      )
    )
    return yield* watch(cluster)
  }
  return yield* Effect.raceFirst(watch(cluster), allEnded(cluster))
}, Effect.scoped)

const introduce = (plan: ClusterPlan) =>
  Console.log(
    [
      `cluster ${plan.clusterId}: ${plan.nodes.length} nodes, data and logs in ${plan.directory}`,
      ...plan.nodes.map((node) => `  ${node.id}  ${node.url}`),
      `write and read:  curl -X PUT --data-binary hello ${plan.nodes[0]?.url}/kv/greeting`,
      `                 curl ${plan.nodes.at(-1)?.url}/kv/greeting`,
      `in a browser:    ${plan.nodes[0]?.url}`,
      `Ctrl-C stops all nodes`,
      ""
    ].join("\n")
  )

const allEnded = Effect.fnUntraced(function* (cluster: Cluster.Cluster) {
  yield* Effect.forEach(cluster.members, (member) => member.ended, { concurrency: "unbounded" })
  // One more look, so that the last death is shown too.
  yield* Effect.sleep(refreshMillis * 2)
  return yield* fail(`no node is left; what they said is in ${cluster.plan.directory}/*.log`)
})

/** A node that died this soon after its start waits longer and longer before the next. */
const soonMillis = 30_000

/** Starts the member again whenever it ends, after 1 s, 2 s, 4 s … up to 30 s. */
const keepAlive = Effect.fnUntraced(function* (member: Cluster.Member) {
  let pauseMillis = 1_000
  while (true) {
    const startedMillis = yield* Clock.currentTimeMillis
    yield* member.ended
    const aliveMillis = (yield* Clock.currentTimeMillis) - startedMillis
    if (aliveMillis > soonMillis) pauseMillis = 1_000
    yield* Effect.sleep(pauseMillis)
    pauseMillis = Math.min(pauseMillis * 2, 30_000)
    yield* member.start
  }
})

/** How often the nodes are asked how they are. */
const refreshMillis = 250

/** Shows the nodes for ever. */
const watch = Effect.fnUntraced(function* (cluster: Cluster.Cluster) {
  const onTerminal = yield* Stdio.Stdio.use((stdio) => stdio.stdoutIsTerminal)
  const show = onTerminal ? yield* inPlace : yield* lineByLine
  return yield* look(cluster).pipe(
    Effect.flatMap(show),
    Effect.repeat(Schedule.spaced(refreshMillis)),
    Effect.andThen(Effect.never)
  )
})

type Views = ReadonlyArray<StatusBoard.NodeView>

const look = (cluster: Cluster.Cluster): Effect.Effect<Views> =>
  Effect.forEach(
    cluster.members,
    Effect.fnUntraced(function* ({ plan, life: lifeRef }) {
      const life = yield* SubscriptionRef.get(lifeRef)
      const status = life._tag === "Running" ? yield* Store.status(plan.url) : undefined
      return { plan, life, status }
    }),
    { concurrency: "unbounded" }
  )

/** Draws the lines over the ones drawn before. */
const inPlace = Effect.gen(function* () {
  const terminal = yield* Terminal.Terminal
  let drawn = 0
  return Effect.fnUntraced(function* (views: Views) {
    const lines = views.map(StatusBoard.lineOf)
    const text = StatusBoard.redraw(lines, drawn, yield* terminal.columns)
    drawn = lines.length
    yield* Effect.orDie(terminal.display(text))
  })
})

/** Prints a node's line when there is something new to tell. */
const lineByLine = Effect.sync(() => {
  const told = new Map<string, string>()
  return Effect.fnUntraced(function* (views: Views) {
    for (const view of views) {
      const news = StatusBoard.newsOf(view)
      if (told.get(view.plan.id) === news) continue
      told.set(view.plan.id, news)
      yield* Console.log(news)
    }
  })
})
