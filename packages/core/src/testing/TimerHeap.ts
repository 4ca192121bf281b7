/**
 * Timers in the order in which they are due; those due together in the order in which they were set.
 *
 * A binary heap. A cancelled timer stays where it is until it comes up, which is cheaper than finding it.
 */

/** A timer that was set. */
export interface Timer {
  readonly dueMillis: number
  readonly fire: () => void
  /** Which timer this is, counted as they were set. */
  readonly sequence: number
  isCancelled: boolean
}

export class TimerHeap {
  private readonly heap: Array<Timer> = []
  private sequence = 0

  push(dueMillis: number, fire: () => void): Timer {
    const timer: Timer = { dueMillis, fire, sequence: this.sequence++, isCancelled: false }
    this.heap.push(timer)
    this.rise(this.heap.length - 1)
    return timer
  }

  cancel(timer: Timer): void {
    timer.isCancelled = true
  }

  /** Takes out the first timer that was not cancelled. */
  pop(): Timer | undefined {
    let timer = this.popFirst()
    while (timer?.isCancelled === true) timer = this.popFirst()
    return timer
  }

  private popFirst(): Timer | undefined {
    const first = this.heap[0]
    const last = this.heap.pop()
    if (first === undefined || last === undefined || first === last) return first
    this.heap[0] = last
    this.sink()
    return first
  }

  private rise(from: number): void {
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (isBefore(this.heap[parent]!, this.heap[at]!)) return
      this.swap(at, parent)
      at = parent
    }
  }

  private sink(): void {
    let at = 0
    while (true) {
      const first = this.firstOf(this.firstOf(at, 2 * at + 1), 2 * at + 2)
      if (first === at) return
      this.swap(at, first)
      at = first
    }
  }

  /** Which of two places has the timer that is due first; `b` may be past the end. */
  private firstOf(a: number, b: number): number {
    return b < this.heap.length && isBefore(this.heap[b]!, this.heap[a]!) ? b : a
  }

  private swap(a: number, b: number): void {
    const held = this.heap[a]!
    this.heap[a] = this.heap[b]!
    this.heap[b] = held
  }
}

const isBefore = (a: Timer, b: Timer): boolean =>
  a.dueMillis < b.dueMillis || (a.dueMillis === b.dueMillis && a.sequence < b.sequence)
