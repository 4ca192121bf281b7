/**
 * The calls and returns of a history as one list in the order of time, from which operations are lifted
 * when they are placed and into which they are put back when that proves wrong.
 *
 * Knuth's dancing links, as Lowe uses them ("Testing for linearizability", section 3): lifting and putting
 * back cost the same few assignments however long the history is. Operations are named by their position
 * in the array that the list was made from.
 */
import type { Operation } from "../History.ts"

/** The entry before the first and after the last. */
const ends = 0

export class EntryList {
  private readonly next: Int32Array
  private readonly previous: Int32Array
  /** Per entry: `id` for the call of an operation, `-1 - id` for its return. */
  private readonly event: Int32Array
  private readonly callEntry: Int32Array
  private readonly returnEntry: Int32Array

  constructor(operations: ReadonlyArray<Operation<unknown, unknown>>) {
    const events = eventsInOrder(operations)
    this.next = new Int32Array(events.length + 1)
    this.previous = new Int32Array(events.length + 1)
    this.event = new Int32Array(events.length + 1)
    this.callEntry = new Int32Array(operations.length)
    this.returnEntry = new Int32Array(operations.length)
    for (let entry = 0; entry <= events.length; entry++) {
      this.next[entry] = entry === events.length ? ends : entry + 1
      this.previous[entry] = entry === ends ? events.length : entry - 1
    }
    for (const [position, event] of events.entries()) {
      this.event[position + 1] = event
      if (event >= 0) this.callEntry[event] = position + 1
      else this.returnEntry[-1 - event] = position + 1
    }
  }

  get isEmpty(): boolean {
    return this.next[ends] === ends
  }

  /**
   * The operations that may be the next to take effect: those called before the first return. The last
   * of the pair is the operation that returns first, and so must be placed before anything new begins.
   */
  candidates(): { readonly ids: Array<number>; readonly returnsFirst: number } {
    const ids: Array<number> = []
    let entry = this.next[ends]!
    while (this.event[entry]! >= 0) {
      ids.push(this.event[entry]!)
      entry = this.next[entry]!
    }
    return { ids, returnsFirst: -1 - this.event[entry]! }
  }

  /** Takes an operation out. */
  lift(id: number): void {
    this.unlink(this.callEntry[id]!)
    this.unlink(this.returnEntry[id]!)
  }

  /** Puts back the operation that was lifted last. */
  unlift(id: number): void {
    this.relink(this.returnEntry[id]!)
    this.relink(this.callEntry[id]!)
  }

  private unlink(entry: number): void {
    this.next[this.previous[entry]!] = this.next[entry]!
    this.previous[this.next[entry]!] = this.previous[entry]!
  }

  private relink(entry: number): void {
    this.next[this.previous[entry]!] = entry
    this.previous[this.next[entry]!] = entry
  }
}

/** At the same moment calls come before returns: operations that touch count as concurrent. */
const eventsInOrder = (operations: ReadonlyArray<Operation<unknown, unknown>>): Array<number> => {
  const timeOf = (event: number) =>
    event >= 0 ? operations[event]!.callNanos : operations[-1 - event]!.returnNanos
  return operations
    .flatMap((_, id) => [id, -1 - id])
    .sort((a, b) => timeOf(a) - timeOf(b) || Number(b >= 0) - Number(a >= 0) || a - b)
}
