/**
 * Something that took long in a node, as `Stalls` notes it there, and how a run looks for what happened
 * beside a silence that it has seen.
 */
import { existsSync, readFileSync } from "node:fs"

/** Times are milliseconds since the epoch. */
export interface Stall {
  /** "event loop" and what it did, "garbage collection", or the call of `node:fs`. */
  readonly what: string
  readonly startMillis: number
  readonly endMillis: number
}

/** What took less is not noted. */
export const leastMillis = 40

const read = (file: string): ReadonlyArray<Stall> =>
  existsSync(file)
    ? readFileSync(file, "utf8")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as Stall)
    : []

/**
 * For the eye: what of each kind was noted in `file` that has to do with the time from `fromMillis` to
 * `toMillis`.
 */
export const between = (file: string, fromMillis: number, toMillis: number): ReadonlyArray<string> => {
  const beside = read(file).filter((one) => one.startMillis < toMillis && one.endMillis > fromMillis)
  return [...new Set(beside.map(({ what }) => what))].map((what) => {
    const same = beside.filter((one) => one.what === what)
    const longest = same.reduce((one, other) => (lengthOf(other) > lengthOf(one) ? other : one))
    const at = (millis: number) => (millis - fromMillis).toFixed(0)
    return `${same.length} × ${what}, the longest from ${at(longest.startMillis)} to ${at(longest.endMillis)} ms`
  })
}

const lengthOf = ({ endMillis, startMillis }: Stall): number => endMillis - startMillis

/** For the eye: the longest of each kind. */
export const longest = (file: string): string => {
  const byKind = new Map<string, number>()
  for (const stall of read(file)) {
    byKind.set(stall.what, Math.max(byKind.get(stall.what) ?? 0, lengthOf(stall)))
  }
  const kinds = [...byKind].sort(([, one], [, other]) => other - one)
  return kinds.map(([what, millis]) => `${what} ${millis.toFixed(0)} ms`).join(", ")
}
