/**
 * Reads look at the state while their round is under way, when a node would only wait for its peers.
 *
 * What was seen then is a good answer if it has in it all that the read must see: its index, which the leader noted
 * when it was asked (thesis, section 6.4, steps 1 to 4). Step 2, that a quorum confirms the leader, comes after the
 * look and not before it, but the answer still waits for it; and the look came after the read began, so the client
 * sees a state of some moment between its question and its answer. Whether the look was early enough, the reader
 * asks when it is confirmed; if it was not, it looks again.
 */
import * as Effect from "effect/Effect"
import type { ReadSlots } from "./ReadSlots.ts"

export interface EarlyLooks {
  /** Lets those of `readIds` look that want to and still wait, when what a turn has said is on its way. */
  readonly offer: (readIds: ReadonlyArray<number>) => void
}

/** `isPromising` tells whether the state as it is now will most likely do; a second look would be a waste. */
export const make = (slots: ReadSlots, isPromising: () => boolean): Effect.Effect<EarlyLooks> =>
  Effect.withFiberSucceed((fiber) => {
    const dispatcher = fiber.currentDispatcher
    const wantsTo = (readId: number) => slots.waitOf(readId)?.lookEarly !== undefined
    return {
      offer: (readIds) => {
        if (!readIds.some(wantsTo)) return
        dispatcher.scheduleTask(() => {
          if (!isPromising()) return
          for (const readId of readIds) slots.waitOf(readId)?.lookEarly?.()
        }, 0)
      }
    }
  })
