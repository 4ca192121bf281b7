/**
 * Alice and Bob send each other money; the total never changes.
 *
 * The notes: locking each assignment (`mu.Lock(); alice -= 1; mu.Unlock(); mu.Lock(); bob += 1; mu.Unlock()`)
 * has no data race and is still wrong: an auditor who takes the lock in between counts one coin too few. A
 * lock guards an invariant, so the critical section must be as long as the invariant is broken.
 *
 * Here: fibers lose the processor only at a `yield*`, so a data race on one assignment cannot happen, but the
 * broken invariant can. Two cures. A `Semaphore` with one permit is Go's mutex. Better is a state that moves
 * from one right value to the next in one synchronous step: nobody can look in between. That is how the
 * actor of effect-raft turns, and why it needs no lock.
 */
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as Semaphore from "effect/Semaphore"
import { runAlone } from "./runAlone.ts"

export interface Accounts {
  readonly alice: number
  readonly bob: number
}

const rounds = 100
const initial: Accounts = { alice: 10_000, bob: 10_000 }
const total = (accounts: Accounts) => accounts.alice + accounts.bob

const addToAlice = (coins: number) => (accounts: Accounts) => ({ ...accounts, alice: accounts.alice + coins })
const addToBob = (coins: number) => (accounts: Accounts) => ({ ...accounts, bob: accounts.bob + coins })

interface Bank {
  readonly accounts: Ref.Ref<Accounts>
  readonly lock: Semaphore.Semaphore
}

/** A way to move coins from Bob to Alice (a negative amount moves them back). */
export type Transfer = (bank: Bank, coins: number) => Effect.Effect<void>

/** Wrong: each half is locked, the invariant is not. */
export const twoSections: Transfer = Effect.fnUntraced(function* (bank, coins) {
  yield* bank.lock.withPermit(Ref.update(bank.accounts, addToBob(-coins)))
  yield* Effect.yieldNow
  yield* bank.lock.withPermit(Ref.update(bank.accounts, addToAlice(coins)))
})

/** Right: one critical section from the first broken moment to the last. */
export const oneSection: Transfer = (bank, coins) =>
  bank.lock.withPermit(
    Ref.update(bank.accounts, addToBob(-coins)).pipe(
      Effect.andThen(Effect.yieldNow),
      Effect.andThen(Ref.update(bank.accounts, addToAlice(coins)))
    )
  )

/** Right, and without a lock: one synchronous step from old state to new. */
export const oneStep: Transfer = (bank, coins) =>
  Ref.update(bank.accounts, (accounts) => addToAlice(coins)(addToBob(-coins)(accounts)))

/** Bob pays two coins a time, Alice one, while an auditor looks on; answers what was seen. */
export const audit = Effect.fnUntraced(function* (transfer: Transfer) {
  const bank: Bank = { accounts: yield* Ref.make(initial), lock: yield* Semaphore.make(1) }
  const trade = (coins: number) =>
    transfer(bank, coins).pipe(Effect.andThen(Effect.yieldNow), Effect.repeat({ times: rounds - 1 }))
  const look = bank.lock.withPermit(Ref.get(bank.accounts))
  const lookOften = Effect.forEach(Array.from({ length: rounds * 3 }), () =>
    Effect.tap(look, () => Effect.yieldNow)
  )
  const [, , seen] = yield* Effect.all([trade(2), trade(-1), lookOften], { concurrency: "unbounded" })
  return {
    wrongTotalsSeen: seen.filter((accounts) => total(accounts) !== total(initial)).length,
    end: yield* Ref.get(bank.accounts)
  }
})

runAlone(
  import.meta,
  Effect.all({ twoSections: audit(twoSections), oneSection: audit(oneSection), oneStep: audit(oneStep) })
)
