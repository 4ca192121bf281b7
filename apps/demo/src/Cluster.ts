/**
 * The processes of a local cluster, across their lives: each node can be started, killed and started
 * again, and what becomes of it can be watched. Whoever holds the scope holds the cluster: closing it
 * stops all nodes, side by side.
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type { ClusterPlan, NodePlan } from "./ClusterPlan.ts"
import { type CommandFailed, fail } from "./ExitCode.ts"
import * as NodeProcess from "./NodeProcess.ts"

/** What a node's process is doing. */
export type Life =
  | { readonly _tag: "NotStarted" }
  | { readonly _tag: "Starting" }
  | { readonly _tag: "Running"; readonly process: NodeProcess.NodeProcess }
  | { readonly _tag: "Ended"; readonly ending: NodeProcess.Ending }

/** A node of the cluster. */
export interface Member {
  readonly plan: NodePlan
  readonly life: SubscriptionRef.SubscriptionRef<Life>
  /** Starts the process, which must not be running, and returns at once. */
  readonly start: Effect.Effect<void>
  /** Ends when the node is ready; fails with its last words if it ends before. */
  readonly ready: Effect.Effect<void, CommandFailed>
  /** Ends when the process has ended. */
  readonly ended: Effect.Effect<NodeProcess.Ending>
  /** Sends a signal to the process, if it is running, and waits for its end. */
  readonly kill: (signal: "SIGTERM" | "SIGKILL") => Effect.Effect<void>
}

export interface Cluster {
  readonly plan: ClusterPlan
  readonly members: ReadonlyArray<Member>
}

/** The members of the plan, none of them started yet. `flags` are handed to every `serve`. */
export const make = Effect.fnUntraced(function* (plan: ClusterPlan, flags: ReadonlyArray<string>) {
  const processes = yield* Scope.fork(yield* Effect.scope, "parallel")
  const members = yield* Effect.forEach(plan.nodes, (node) =>
    makeMember({ cluster: plan, node, flags }).pipe(Scope.provide(processes))
  )
  return { plan, members } satisfies Cluster
})

const makeMember = Effect.fnUntraced(function* (options: NodeProcess.StartOptions) {
  const scope = yield* Effect.scope
  const context = yield* Effect.context<ChildProcessSpawner | FileSystem.FileSystem>()
  const life = yield* SubscriptionRef.make<Life>({ _tag: "NotStarted" })
  const turn = (to: Life) => SubscriptionRef.set(life, to)

  const live = Effect.gen(function* () {
    const process = yield* NodeProcess.start(options)
    yield* Effect.forkScoped(Effect.andThen(process.ready, turn({ _tag: "Running", process })))
    return yield* process.ended
  }).pipe(
    Effect.scoped,
    Effect.catch((error) => Effect.succeed({ by: `the system: ${error.message}`, lastWords: "" })),
    Effect.flatMap((ending) => turn({ _tag: "Ended", ending })),
    Effect.provideContext(context),
    Effect.annotateLogs({ fiber: `life of ${options.node.id}` })
  )

  const ended = firstOf(life, (now) => (now._tag === "Ended" ? Effect.succeed(now.ending) : undefined))
  return {
    plan: options.node,
    life,
    start: Effect.andThen(turn({ _tag: "Starting" }), Effect.asVoid(Effect.forkIn(live, scope))),
    ready: firstOf(life, (now) => readiness(options.node, now)),
    ended,
    kill: Effect.fnUntraced(function* (signal) {
      const now = yield* SubscriptionRef.get(life)
      if (now._tag !== "Running") return
      yield* now.process.kill(signal)
      yield* ended
    })
  } satisfies Member
})

const readiness = (node: NodePlan, life: Life): Effect.Effect<void, CommandFailed> | undefined => {
  if (life._tag === "Running") return Effect.void
  if (life._tag === "Ended")
    return Effect.fail(fail(`Node ${node.id} did not start: ${NodeProcess.describe(life.ending)}`))
  return undefined
}

/** The answer to the first life, the present one included, for which there is one. */
const firstOf = <A, E>(
  life: SubscriptionRef.SubscriptionRef<Life>,
  answer: (life: Life) => Effect.Effect<A, E> | undefined
): Effect.Effect<A, E> =>
  SubscriptionRef.changes(life).pipe(
    Stream.map(answer),
    Stream.filter((found) => found !== undefined),
    Stream.runHead,
    Effect.flatMap(Effect.fromOption),
    Effect.orDie,
    Effect.flatten
  )
