/**
 * A cluster of processes grows from three nodes to five and shrinks to three again, one at a time, and then
 * all three are replaced at once, while sixteen clients write and count.
 *
 *     node scripts/shows/membership.ts
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { MembershipChange } from "../../packages/core/src/MembershipChange.ts"
import { NodeId } from "../../packages/core/src/NodeId.ts"
import * as Operator from "../../apps/demo/src/Operator.ts"
import * as Counting from "./Counting.ts"
import * as Processes from "./Processes.ts"
import { Broken, hold, note, run } from "./Show.ts"
import { operatorOf } from "./OperatorOf.ts"

const show = Effect.gen(function* () {
  const places = yield* Processes.places(8)
  const [n1, n2, n3, n4, n5, n6, n7, n8] = places as [P, P, P, P, P, P, P, P]
  const first = [n1, n2, n3]
  const started = yield* Effect.forEach(first, (place) => Processes.start(place, first))
  const operator = operatorOf(places)
  const counting = yield* Counting.start(places.map(({ clients }) => clients))
  yield* Effect.sleep(2_000)

  /** Carries out a step under load, and holds the longest wait of a client against the bound. */
  const step = Effect.fnUntraced(function* <E>(what: string, doing: Effect.Effect<void, E>) {
    const fromMillis = yield* Clock.currentTimeMillis
    yield* doing
    const tookMillis = (yield* Clock.currentTimeMillis) - fromMillis
    yield* Effect.sleep(2_000)
    const longestMillis = counting.longestWaitMillis(fromMillis, yield* Clock.currentTimeMillis)
    yield* hold(
      longestMillis <= 2 * Processes.electionTimeoutMillis,
      `${what.padEnd(34)} took ${pad(tookMillis)} ms; longest wait of a client ${pad(longestMillis)} ms`
    )
  })

  const change = (asked: MembershipChange, waitingOut: ReadonlyArray<string> = []) =>
    Effect.asVoid(
      Operator.atLeader(operator, (client) => client.changeMembership({ payload: asked }), {
        lookAt: "the members",
        waitingOut
      })
    )
  const learn = (place: P, autoPromote: boolean) =>
    change({ _tag: "AddLearner", nodeId: NodeId.make(place.id), address: place.address, autoPromote })
  const voters = (wanted: ReadonlyArray<P>) =>
    Effect.flatMap(
      Operator.waitFor(operator, (members) => {
        const ids = members.filter(({ role }) => role === "voter").map(({ id }) => id)
        return (
          ids.length === members.length &&
          ids.toSorted().join() ===
            wanted
              .map(({ id }) => id)
              .toSorted()
              .join()
        )
      }),
      Option.match({
        onNone: () =>
          Effect.fail(
            new Broken({ message: `the voters did not become ${wanted.map(({ id }) => id).join(", ")}` })
          ),
        onSome: () => Effect.void
      })
    )
  const remove = (place: P) => change({ _tag: "Remove", nodeId: NodeId.make(place.id) })

  // --- one at a time ------------------------------------------------------------------------------------

  yield* note(`election timeout ${Processes.electionTimeoutMillis} ms; a pause may last twice that`)
  for (const place of [n4, n5]) started.push(yield* Processes.start(place, "join"))
  yield* Effect.sleep(1_000)
  yield* step("add n4", Effect.andThen(learn(n4, true), voters([...first, n4])))
  yield* step("add n5", Effect.andThen(learn(n5, true), voters([...first, n4, n5])))

  const { leader } = yield* Operator.look(operator)
  const leaving = [n1, n2, n3].find(({ id }) => id === leader) ?? n1
  const other = first.find((place) => place !== leaving)!
  const kept = first.filter((place) => place !== leaving && place !== other)
  yield* step(`remove ${other.id}`, Effect.andThen(remove(other), voters([leaving, ...kept, n4, n5])))
  yield* step(`remove ${leaving.id}, the leader`, Effect.andThen(remove(leaving), voters([...kept, n4, n5])))
  for (const node of started) if (node.place === leaving || node.place === other) node.kill("SIGTERM")

  // --- all at once --------------------------------------------------------------------------------------

  const next = [n6, n7, n8]
  for (const place of next) started.push(yield* Processes.start(place, "join"))
  yield* Effect.sleep(1_000)
  yield* step(
    "three learners get the log",
    Effect.forEach(next, (place) => learn(place, false), { discard: true })
  )
  const replace: MembershipChange = { _tag: "ReplaceVoters", voters: next.map(({ id }) => NodeId.make(id)) }
  yield* step(
    "replace all three voters at once",
    Effect.andThen(change(replace, ["LearnerLags"]), voters(next))
  )
  for (const node of started) if (!next.includes(node.place)) node.kill("SIGKILL")
  yield* Effect.sleep(1_000)

  yield* Counting.settle(counting)
}).pipe(Effect.scoped)

type P = Processes.Place

const pad = (millis: number): string => String(millis).padStart(5)

run(show)
