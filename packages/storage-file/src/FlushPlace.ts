/**
 * Where a flush runs: on the event loop or in the thread pool.
 *
 * A quick disk flushes a small write in less time than it takes to hand it to another thread and to be
 * told of its end; on the event loop it costs half as much. A disk that takes longer, or a large write,
 * must not hold up heartbeats and votes, so those go to the pool. Nobody says beforehand how quick a disk
 * is, so it is watched: one slow flush on the loop sends those after it to the pool, until enough in a row
 * were quick there. The number doubles each time that the loop is slow again, and halves while it is quick: a
 * process that had to wait for a processor now and then looks like a slow disk, too.
 *
 * While a large flush is under way (a snapshot's, mostly) the disk has other things to do, and the next small
 * flush waits behind it: then, and for a while after if that took long, nothing is flushed on the loop.
 */

/** A flush that takes longer is slow. Far below the shortest heartbeat that makes sense. */
export const slowMillis = 2

/** With more than this to be flushed it may well take long. */
export const maxLoopBytes = 512 * 1024

const firstProbation = 64
const longestProbation = 8192

export class FlushPlace {
  /** How many quick flushes in a row the pool must still see; the loop has its turn when there are none. */
  private missing = 0
  private probation = firstProbation
  /** How many in a row were quick on the loop, since that last counted for something. */
  private quickOnLoop = 0
  private largeFlushes = 0

  /** Whether a flush of what was written since the last one may run on the event loop. */
  isLoop(unflushedBytes: number): boolean {
    return this.missing === 0 && this.largeFlushes === 0 && unflushedBytes <= maxLoopBytes
  }

  /** A flush goes to the pool; it must be told when it has ended, however that was. */
  startInPool(flushedBytes: number): void {
    if (flushedBytes > maxLoopBytes) this.largeFlushes += 1
  }

  /** One that was quick had little to do, however much was said to be written. */
  endInPool(millis: number, flushedBytes: number): void {
    if (flushedBytes <= maxLoopBytes) return
    this.largeFlushes -= 1
    if (millis >= slowMillis) this.missing = Math.max(this.missing, firstProbation)
  }

  ranOnLoop(millis: number): void {
    if (millis < slowMillis) return this.forgive()
    this.quickOnLoop = 0
    this.missing = this.probation
    this.probation = Math.min(2 * this.probation, longestProbation)
  }

  private forgive(): void {
    this.quickOnLoop += 1
    if (this.quickOnLoop < firstProbation) return
    this.quickOnLoop = 0
    this.probation = Math.max(firstProbation, this.probation / 2)
  }

  /** Large flushes say nothing about small ones. */
  ranInPool(millis: number, flushedBytes: number): void {
    if (this.missing === 0 || flushedBytes > maxLoopBytes) return
    this.missing = millis < slowMillis ? this.missing - 1 : this.probation
  }
}
