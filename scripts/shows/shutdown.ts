/**
 * The leader is stopped with SIGTERM, again and again, while sixteen clients write and count: it hands over
 * before it goes.
 *
 *     node scripts/shows/shutdown.ts
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Operator from "../../apps/demo/src/Operator.ts"
import * as Counting from "./Counting.ts"
import { operatorOf } from "./OperatorOf.ts"
import * as Processes from "./Processes.ts"
import { hold, median, note, run } from "./Show.ts"

const rounds = 7

/** How far below the election timeout is "far". */
const farBelow = 2

const show = Effect.gen(function* () {
  const places = yield* Processes.places(3)
  const running = new Map<string, Processes.Running>()
  const start = (place: Processes.Place) =>
    Effect.map(Processes.start(place, places), (node) => running.set(place.id, node))
  yield* Effect.forEach(places, start)
  const operator = operatorOf(places)
  const counting = yield* Counting.start(places.map(({ clients }) => clients))
  yield* Effect.sleep(2_000)

  const stopLeader = Effect.fnUntraced(function* () {
    const { leader } = yield* Operator.look(operator)
    const place = places.find(({ id }) => id === leader)!
    const node = running.get(place.id)!
    const fromMillis = yield* Clock.currentTimeMillis
    node.kill("SIGTERM")
    yield* node.ended
    const tookMillis = (yield* Clock.currentTimeMillis) - fromMillis
    yield* Effect.sleep(1_000)
    const longestMillis = counting.longestWaitMillis(fromMillis, yield* Clock.currentTimeMillis)
    yield* note(`${place.id} stopped in ${tookMillis} ms, longest wait of a client ${longestMillis} ms`)
    yield* start(place)
    yield* Effect.sleep(1_000)
    return longestMillis
  })

  const waits = yield* Effect.replicateEffect(stopLeader(), rounds)
  yield* hold(
    median(waits) * farBelow <= Processes.electionTimeoutMillis,
    `longest wait of a client in ${rounds} shutdowns of the leader: median ${median(waits)} ms, highest ${Math.max(...waits)} ms; ` +
      `the election timeout is ${Processes.electionTimeoutMillis} ms`
  )
  yield* Counting.settle(counting)
}).pipe(Effect.scoped)

run(show)
