/**
 * The clients of a simulated cluster: each does one operation after the other, at a node of its choice, and
 * writes down what it was told.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as LogIndex from "../../LogIndex.ts"
import type { NodeId } from "../../NodeId.ts"
import type { Raft } from "../../Raft.ts"
import type { RaftError } from "../../RaftError.ts"
import type { BinaryCodec } from "../../StateMachine.ts"
import { Dice, hashText } from "../LinkFaults.ts"
import type { Cluster } from "../RaftTest.ts"
import type { Completed, Operation, Workload } from "../Workload.ts"
import type { Attempt } from "./Oracle.ts"
import type { Plan } from "./Plan.ts"
import { oneOf } from "./Plan.ts"

/** What all clients together were told. */
export interface Record<Command, View> {
  readonly history: Array<Completed<Command, View>>
  readonly attempts: Array<Attempt>
}

export interface Options<Command, Reply, View> {
  readonly cluster: Pick<Cluster<Command, Reply, View>, "nodeIds" | "raft">
  readonly command: BinaryCodec<Command>
  readonly workload: Workload<Command, View>
  readonly plan: Plan
  readonly isStorm: () => boolean
  readonly record: Record<Command, View>
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
    const { cluster, plan, workload, isStorm } = options
    const dice = new Dice()
    dice.reset(hashText(`${plan.seed}/client/${client}`), 0)
    const pauseMillis = (1_000 * plan.clients) / plan.operationsPerSecond
    let node = oneOf(dice, cluster.nodeIds)
    for (let count = 0; (yield* Clock.currentTimeMillis) < plan.durationMillis; count++) {
      // Mostly a client stays where it is; now and then it goes elsewhere.
      if (dice.happens(0.2)) node = oneOf(dice, cluster.nodeIds)
      yield* perform(options, client, node, workload.next(dice, client, count))
      yield* Effect.sleep(isStorm() ? 1 : Math.ceil(pauseMillis * 2 * dice.next()))
    }
  })

const perform = <Command, Reply, View>(
  { cluster, command, record }: Options<Command, Reply, View>,
  client: number,
  node: NodeId,
  operation: Operation<Command, View>
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const calledMillis = yield* Clock.currentTimeMillis
    const raft = cluster.raft(node)
    const told = yield* Effect.result(ask(raft, operation))
    const returnedMillis = yield* Clock.currentTimeMillis
    const outcome =
      told._tag === "Success"
        ? ({ _tag: "Ok", value: told.success.value } as const)
        : failureOf(told.failure, operation)
    record.history.push({ client, operation, calledMillis, returnedMillis, outcome })
    if (operation._tag === "Read") return
    record.attempts.push({
      client,
      payload: command.encode(operation.command),
      outcome:
        told._tag === "Success"
          ? { _tag: "Acknowledged", index: told.success.index }
          : { _tag: told.failure.outcome === "none" ? "None" : "Unknown" }
    })
  })

/** Index 0 stands for a read, which has none. */
const ask = <Command, Reply, View>(
  raft: Raft<Command, Reply, View>,
  operation: Operation<Command, View>
): Effect.Effect<{ readonly value: unknown; readonly index: LogIndex.LogIndex }, RaftError> =>
  operation._tag === "Propose"
    ? Effect.map(raft.proposeAt(operation.command), ({ reply, index }) => ({ value: reply, index }))
    : Effect.map(raft.read(operation.query), (value) => ({ value, index: LogIndex.zero }))

const failureOf = <Command, View>(error: RaftError, operation: Operation<Command, View>) =>
  operation._tag === "Propose" && error.outcome === "unknown"
    ? ({ _tag: "Unknown" } as const)
    : ({ _tag: "Failed" } as const)
