/**
 * The clients of a simulated cluster: each makes one request after the other, at a node of its choice, and
 * writes down what it was told. It does not wait for ever: a leader that nobody hears collects the commands
 * of those who have gone.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import * as LogIndex from "../../LogIndex.ts"
import type { Consistency, Raft } from "../../Raft.ts"
import type { RaftError } from "../../RaftError.ts"
import * as Alarm from "../Alarm.ts"
import type { Recorder } from "../History.ts"
import { Dice, hashText } from "../LinkFaults.ts"
import type { Cluster } from "../TestCluster.ts"
import type { Answer, Request, Turn, Workload } from "../Workload.ts"
import { ClientPatience } from "./ClientPatience.ts"
import type * as Coverage from "./Coverage.ts"
import type { Plan } from "./Plan.ts"
import { oneOf } from "./Plan.ts"
import * as SessionClient from "./SessionClient.ts"

export interface Options<Command, Reply, View> {
  readonly cluster: Pick<Cluster<Command, Reply, View>, "nodeIds" | "raft">
  readonly workload: Workload<Command, View>
  readonly plan: Plan
  readonly isStorm: () => boolean
  readonly recorder: Recorder<Request<Command, View>, Answer>
  readonly counters: Coverage.Counters
}

/** Runs all clients until the plan's time is over. */
export const run = <Command, Reply, View>(options: Options<Command, Reply, View>): Effect.Effect<void> =>
  Effect.forEach(
    Array.from({ length: options.plan.clients }, (_, client) => client),
    (client) => runClient(options, client),
    { concurrency: "unbounded", discard: true }
  )

const runClient = <Command, Reply, View>(
  options: Options<Command, Reply, View>,
  client: number
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { cluster, plan, workload, isStorm, recorder } = options
    const setAlarm = yield* Alarm.make
    const clock = yield* Clock.Clock
    const start = Effect.runForkWith(yield* Effect.annotateLogs(Effect.context(), { fiber: "request" }))
    const dice = new Dice()
    dice.reset(hashText(`${plan.seed}/client/${client}`), 0)
    const pauseMillis = (1_000 * plan.clients) / plan.operationsPerSecond
    let node = oneOf(dice, cluster.nodeIds)
    const session = SessionClient.make(() => {
      if (dice.happens(0.4)) node = oneOf(dice, cluster.nodeIds)
      return cluster.raft(node).sessions
    }, options.counters)
    const ask = (request: Request<Command, View>): Effect.Effect<Answer, RaftError> =>
      request._tag === "Propose" && plan.sessions !== null
        ? Effect.map(session.propose(request.command), toAnswer)
        : askNode(cluster.raft(node), request, plan.config.leaseReads === true ? "lease" : "linearizable")
    const patience = new ClientPatience(plan.patienceMillis, () => clock.currentTimeMillisUnsafe(), setAlarm)

    yield* Effect.callback<void>((resume) => {
      let last: Turn<Command, View>["last"]
      let count = 0
      let isOver = false

      const finish = (exit: Exit.Exit<void>): void => {
        isOver = true
        resume(exit)
      }

      const askNext = (): void => {
        if (isOver) return
        if (clock.currentTimeMillisUnsafe() >= plan.durationMillis) return finish(Exit.void)
        // Mostly a client stays where it is; now and then it goes elsewhere.
        if (dice.happens(0.2)) node = oneOf(dice, cluster.nodeIds)
        const input = workload.next({ dice, client, count: count++, last })
        const end = recorder.begin({
          client,
          input,
          output: (answer: Answer) => answer,
          didNotHappen: (error: RaftError) => input._tag === "Read" || error.outcome === "none"
        })
        const asking = start(ask(input))
        patience.begin(asking)
        asking.addObserver((told) => {
          patience.end()
          // A defect is no answer: something is broken, and the run ends with it.
          if (Exit.isFailure(told) && Exit.hasDies(told)) return finish(Exit.die(Cause.squash(told.cause)))
          last = { input, outcome: end(told) }
          setAlarm(isStorm() ? 1 : Math.ceil(pauseMillis * 2 * dice.next()), tryNext)
        })
      }

      // What a user's workload throws ends the run, as what a node throws does.
      const tryNext = (): void => {
        try {
          askNext()
        } catch (defect) {
          finish(Exit.die(defect))
        }
      }

      tryNext()
      return Effect.suspend(() => {
        isOver = true
        return patience.giveUp
      })
    })
    yield* session.end
  }).pipe(Effect.scoped, Random.withSeed(`${options.plan.seed}/client/${client}`))

const askNode = <Command, Reply, View>(
  raft: Raft<Command, Reply, View>,
  request: Request<Command, View>,
  consistency: Consistency
): Effect.Effect<Answer, RaftError> =>
  request._tag === "Propose"
    ? Effect.map(raft.proposeAt(request.command), toAnswer)
    : Effect.map(raft.read(request.query, { consistency }), (value) => ({ value, index: LogIndex.zero }))

const toAnswer = ({
  index,
  reply
}: {
  readonly index: LogIndex.LogIndex
  readonly reply: unknown
}): Answer => ({
  value: reply,
  index
})
