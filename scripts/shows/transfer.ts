/**
 * The leadership goes from node to node, twenty times, while sixteen clients write and count.
 *
 *     node scripts/shows/transfer.ts
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { NodeId } from "../../packages/core/src/NodeId.ts"
import * as Operator from "../../apps/demo/src/Operator.ts"
import * as Counting from "./Counting.ts"
import { operatorOf } from "./OperatorOf.ts"
import * as Processes from "./Processes.ts"
import { hold, median, note, run } from "./Show.ts"

const rounds = 20

/** Between two transfers, so that each is seen alone. */
const quietMillis = 700

const show = Effect.gen(function* () {
  const places = yield* Processes.places(3)
  yield* Effect.forEach(places, (place) => Processes.start(place, places))
  const operator = operatorOf(places)
  const counting = yield* Counting.start(places.map(({ clients }) => clients))
  yield* Effect.sleep(2_000)

  const transfer = Effect.fnUntraced(function* () {
    const { leader, members } = yield* Operator.look(operator)
    const at = members.findIndex(({ id }) => id === leader)
    const to = members[(at + 1) % members.length]!.id
    const fromMillis = yield* Clock.currentTimeMillis
    const done = yield* Operator.atLeader(
      operator,
      (client) => client.transferLeadership({ payload: { to: NodeId.make(to) } }),
      { lookAt: "the status" }
    )
    const tookMillis = (yield* Clock.currentTimeMillis) - fromMillis
    yield* Effect.sleep(quietMillis)
    const longestMillis = counting.longestWaitMillis(fromMillis, yield* Clock.currentTimeMillis)
    yield* note(
      `${leader} to ${done.leader}: took ${tookMillis} ms, longest wait of a client ${longestMillis} ms`
    )
    return longestMillis
  })

  const waits = yield* Effect.replicateEffect(transfer(), rounds)
  yield* hold(
    median(waits) < Processes.electionTimeoutMillis,
    `longest wait of a client in ${rounds} transfers: median ${median(waits)} ms, highest ${Math.max(...waits)} ms; ` +
      `the election timeout is ${Processes.electionTimeoutMillis} ms`
  )
  yield* Counting.settle(counting)
}).pipe(Effect.scoped)

run(show)
