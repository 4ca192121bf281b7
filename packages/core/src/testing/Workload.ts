/**
 * What the clients of a simulated cluster do, and what a user may want to check of it afterwards.
 */
import type { LogIndex } from "../LogIndex.ts"
import type { Operation } from "./History.ts"
import type { Dice } from "./LinkFaults.ts"

/** What a client asks for: a command, or a look at the state. */
export type Request<Command, View> =
  | { readonly _tag: "Propose"; readonly command: Command }
  | {
      readonly _tag: "Read"
      readonly query: (view: View) => unknown
      /** What is looked at, for those who read the history. */
      readonly about?: string
    }

/** What a client was told. */
export interface Answer {
  /** The machine's reply, or what the query gave. */
  readonly value: unknown
  /** Where the command stands in the log; 0 for a read. */
  readonly index: LogIndex
}

/** A request, when it was made and answered, and how it ended. */
export type Completed<Command, View> = Operation<Request<Command, View>, Answer>

/** A client at the point where it decides what to do next. */
export interface Turn<Command, View> {
  /** All chance must come from here. */
  readonly dice: Dice
  readonly client: number
  /** How many requests it has made before. */
  readonly count: number
  /** Its last request and how that ended. */
  readonly last: Pick<Completed<Command, View>, "input" | "outcome"> | undefined
}

export interface Workload<Command, View> {
  /** The next request of a client. Commands that differ from each other make the checks sharper. */
  readonly next: (turn: Turn<Command, View>) => Request<Command, View>
  /** A check of the user's own over the whole history: what is wrong, or `undefined`. */
  readonly check?: (history: ReadonlyArray<Completed<Command, View>>) => string | undefined
}
