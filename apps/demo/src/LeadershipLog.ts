/**
 * Says in the log of a node since when it leads. It notes the time at once and says it a second later: when
 * leadership changes hands clients wait, and the first line of a log takes longer than a write.
 */
import type { RaftStatus } from "@effect-raft/core/RaftStatus"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

const saidAfter = Duration.seconds(1)

/** Says so for every term in which the node leads, for as long as it runs. */
export const keep = (changes: Stream.Stream<RaftStatus>): Effect.Effect<void> =>
  changes.pipe(
    Stream.filter(({ role }) => role === "Leader"),
    Stream.mapEffect((status) => Effect.map(Clock.currentTimeMillis, (millis) => ({ ...status, millis }))),
    Stream.changesWith((one, other) => one.term === other.term),
    Stream.runForEach(({ millis, nodeId, term }) =>
      Effect.logInfo(`${nodeId} leads in term ${term} since ${new Date(millis).toISOString()}`).pipe(
        Effect.delay(saidAfter),
        Effect.forkChild
      )
    ),
    Effect.annotateLogs({ fiber: "leadership" })
  )
