/** What the tests of snapshots begin with. */
import * as Build from "./Build.ts"
import type { Given, Subject } from "./Harness.ts"
import { followerOf } from "./Harness.ts"

export const at = (index: number, term: number): Build.Place => ({ index, term })

/** Nothing stays before a snapshot unless a test wants it. */
export const noWindow = { snapshotTrailingEntries: 0, snapshotTrailingBytes: 0 }

/** A follower of n2 that knows its whole log to be committed, up to `commit` if given. */
export const committed = (given: Given & { readonly commit?: number }): Subject => {
  const node = followerOf("n2", { config: noWindow, ...given })
  const { lastIndex, lastTerm } = node.state.log
  const prev = at(lastIndex, lastTerm)
  return node.receives(
    "n2",
    Build.appendEntries({ term: given.term, prev, commit: given.commit ?? lastIndex })
  )
}
