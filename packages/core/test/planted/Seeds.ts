/**
 * The seed of the simulator that first caught each bug, so that a quick test need not look for long. A seed
 * is a hint only: when the code around the bug changes, another one catches it.
 */
import { readFileSync, writeFileSync } from "node:fs"

const file = new URL("seeds.json", import.meta.url)

const read = (): Readonly<Record<string, number>> =>
  JSON.parse(readFileSync(file, "utf8")) as Readonly<Record<string, number>>

/** Where to begin to look for a bug. */
export const hintFor = (name: string): number => read()[name] ?? 1

/** Adds what was found to what is known. */
export const write = (found: ReadonlyArray<readonly [name: string, seed: number]>): void => {
  const all = Object.entries({ ...read(), ...Object.fromEntries(found) }).sort(([a], [b]) => (a < b ? -1 : 1))
  writeFileSync(file, `${JSON.stringify(Object.fromEntries(all), null, 2)}\n`)
}
