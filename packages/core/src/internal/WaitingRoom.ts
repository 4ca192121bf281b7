/**
 * Where requests of remote clients wait that came while the node knew of no leader.
 *
 * An election takes a moment. A client that was refused meanwhile would ask around, and come back too early or
 * too late; so its requests stay here for up to an election timeout. When there is a leader they are tried
 * again: they are carried out if it is this node, and otherwise the client is told at once where to go. A
 * request gets here only when it surely did not happen, so it may be tried as often as it takes.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import * as NodeState from "../consensus/NodeState.ts"
import * as Membership from "../Membership.ts"
import type { RunningNode } from "./RunningNode.ts"

/** One or more requests. */
export interface Guest {
  /** Since when it waits, all its tries together; `undefined` before the first. */
  waitsSinceMillis: number | undefined
  /** There is a leader, or the node has stopped: it may try again, and come back here. */
  readonly again: () => void
  /** Its time is over. */
  readonly giveUp: () => void
}

export interface WaitingRoom {
  /** Whether the node knows of no leader now but will hear of the next one, so that waiting makes sense. */
  readonly isOpen: () => boolean
  /** Takes a guest in; `false` when it has waited long enough. */
  readonly admit: (guest: Guest) => boolean
}

/** A leader whose connection broke leads no more, as far as clients are concerned. */
const isLeaderless = (state: NodeState.NodeState): boolean =>
  state.role._tag === "Follower"
    ? state.role.leader === null || state.role.heardMillis === Number.NEGATIVE_INFINITY
    : NodeState.leaderOf(state) === null

/** Nobody tells a node that was removed, or does not belong yet, who leads next. */
const isTold = ({ membership, self }: NodeState.NodeState): boolean => Membership.isMember(membership, self)

/** Opens the room of a node; who is still in it when the scope closes is sent away. */
export const make = <View>(
  node: Pick<RunningNode<View>, "state" | "stopped" | "nowMillis" | "watchers">,
  { patienceMillis }: { readonly patienceMillis: number }
): Effect.Effect<WaitingRoom, never, Scope.Scope> =>
  Effect.gen(function* () {
    let guests: Array<Guest> = []
    const occupied = Latch.makeUnsafe(false)

    const isOpen = (): boolean => {
      const state = node.state()
      return node.stopped() === undefined && isLeaderless(state) && isTold(state)
    }

    const clear = (): ReadonlyArray<Guest> => {
      const all = guests
      guests = []
      occupied.closeUnsafe()
      return all
    }

    const callAll = (): void => {
      for (const guest of clear()) guest.again()
    }

    const dueMillis = (guest: Guest): number => (guest.waitsSinceMillis ?? 0) + patienceMillis

    const earlierDue = (soonestMillis: number, guest: Guest): number =>
      Math.min(soonestMillis, dueMillis(guest))

    const sendAway = (): void => {
      const nowMillis = node.nowMillis()
      const all = clear()
      for (const guest of all) {
        if (dueMillis(guest) <= nowMillis) guest.giveUp()
        else guests.push(guest)
      }
      if (guests.length > 0) occupied.openUnsafe()
    }

    const watch = Effect.suspend(() => {
      const changed = node.watchers.next
      if (!isOpen()) return Effect.sync(callAll)
      const leftMillis = guests.reduce(earlierDue, Number.POSITIVE_INFINITY) - node.nowMillis()
      return Effect.andThen(
        Effect.raceFirst(changed, Effect.sleep(Math.max(1, Math.ceil(leftMillis)))),
        Effect.sync(sendAway)
      )
    })

    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        for (const guest of clear()) guest.giveUp()
      })
    )
    yield* Effect.forever(Effect.andThen(occupied.await, watch)).pipe(
      Effect.annotateLogs({ fiber: "waiting room" }),
      Effect.forkScoped
    )
    return {
      isOpen,
      admit: (guest) => {
        const nowMillis = node.nowMillis()
        guest.waitsSinceMillis ??= nowMillis
        if (dueMillis(guest) <= nowMillis) return false
        guests.push(guest)
        if (guests.length === 1) occupied.openUnsafe()
        return true
      }
    }
  })
