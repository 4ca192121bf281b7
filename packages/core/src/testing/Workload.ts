/**
 * What the clients of a simulated cluster do, and what a user may want to check of it afterwards.
 */
import type { Dice } from "./LinkFaults.ts"

/** One step of a client: a command, or a look at the state. */
export type Operation<Command, View> =
  | { readonly _tag: "Propose"; readonly command: Command }
  | { readonly _tag: "Read"; readonly query: (view: View) => unknown }

/** How an operation ended, and when, in virtual milliseconds. */
export interface Completed<Command, View> {
  readonly client: number
  readonly operation: Operation<Command, View>
  readonly calledMillis: number
  readonly returnedMillis: number
  readonly outcome:
    /** The machine's reply, or what the query gave. */
    | { readonly _tag: "Ok"; readonly value: unknown }
    /** Surely did not happen. */
    | { readonly _tag: "Failed" }
    /** May have happened, or may happen at any time. */
    | { readonly _tag: "Unknown" }
}

export interface Workload<Command, View> {
  /**
   * The next operation of a client; `count` is how many it has made before. All chance must come from
   * `dice`. Commands that differ from each other make the checks sharper.
   */
  readonly next: (dice: Dice, client: number, count: number) => Operation<Command, View>
  /** A check of the user's own over the whole history: what is wrong, or `undefined`. */
  readonly check?: (history: ReadonlyArray<Completed<Command, View>>) => string | undefined
}
