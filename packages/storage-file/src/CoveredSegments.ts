/**
 * Segments that hold nothing after the base of the log: they go, the oldest first, in the background.
 *
 * Some are kept to be written over. One that cannot be removed or renamed does no harm: it is tried again with the
 * next base, and when the log is opened.
 */
import * as Effect from "effect/Effect"
import type { OpenLog } from "./OpenLog.ts"
import * as SegmentFiles from "./SegmentFiles.ts"

/** Segments that are kept to be written over. A snapshot frees about as many at a time, by default. */
export const maxRetired = 4

/** Lets go of those that there are, and of those that come to it meanwhile. */
export const remove = (log: OpenLog): Effect.Effect<void> => {
  const removeAll = Effect.gen(function* () {
    for (let covered = coveredOf(log); covered.length > 0; covered = coveredOf(log)) {
      const kept = maxRetired - log.retired.length
      const retired = yield* SegmentFiles.retire(log.directory, covered, { ...log, kept })
      log.closed = log.closed.slice(covered.length)
      log.retired = log.retired.concat(retired)
    }
  })
  return Effect.suspend(() => {
    if (log.isRemoving) return Effect.void
    log.isRemoving = true
    return removeAll.pipe(
      Effect.catch((error) =>
        Effect.logWarning("A segment that is no longer needed could not be removed", error)
      ),
      Effect.ensuring(Effect.sync(() => void (log.isRemoving = false))),
      Effect.annotateLogs({ fiber: "compaction" }),
      Effect.forkIn(log.scope, { startImmediately: true }),
      Effect.asVoid
    )
  })
}

/** The oldest segments, as many as nobody needs; a log can be read from the one after them. */
const coveredOf = ({ closed, extent }: OpenLog): ReadonlyArray<SegmentFiles.ClosedSegment> => {
  const needed = closed.findIndex(({ maxIndex }) => maxIndex > extent.base.index)
  let count = needed === -1 ? closed.length : needed
  while (count > 0 && closed[count]?.hasOpening === false) count--
  return closed.slice(0, count)
}
