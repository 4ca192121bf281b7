/**
 * Short byte strings that are kept until the end of a run, one under each number, in one buffer: as objects of
 * their own they would be what a run's garbage collection is mostly about.
 */

export class Remembered {
  private bytes = new Uint8Array(4_096)
  private filledBytes = 0
  /** Of the string under a number: where it begins, and where it ends; holes where there is none. */
  private readonly starts: Array<number | undefined> = []
  private readonly ends: Array<number> = []

  has(key: number): boolean {
    return this.starts[key] !== undefined
  }

  /** Keeps a copy of `value` under `key`, where there is none yet. */
  put(key: number, value: Uint8Array): void {
    const start = this.filledBytes
    const end = start + value.byteLength
    if (end > this.bytes.byteLength) this.grow(end)
    this.bytes.set(value, start)
    this.filledBytes = end
    this.starts[key] = start
    this.ends[key] = end
  }

  /** Whether just these bytes are under `key`. */
  holds(key: number, value: Uint8Array): boolean {
    const { bytes } = this
    const start = this.starts[key]
    if (start === undefined || this.ends[key]! - start !== value.byteLength) return false
    for (let at = 0; at < value.byteLength; at++) if (bytes[start + at] !== value[at]) return false
    return true
  }

  /** A copy of what is under `key`; nothing is nothing. */
  get(key: number): Uint8Array {
    return this.bytes.slice(this.starts[key] ?? 0, this.ends[key] ?? 0)
  }

  private grow(bytes: number): void {
    const larger = new Uint8Array(Math.max(bytes, 2 * this.bytes.byteLength))
    larger.set(this.bytes.subarray(0, this.filledBytes))
    this.bytes = larger
  }
}
