/**
 * What the last search found of each bug, kept in `records.json`: where the quick hunt in CI begins, and
 * what the table says. A record is a hint only: when the code around a bug changes, another seed catches it.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type { Catch } from "./Hunt.ts"
import type { Failures } from "./RuleTests.ts"

export interface Record {
  readonly name: string
  /** The first seed, from 1 on, whose quick plan catches it: so many runs it took. */
  readonly quickSeed: number
  /** What plans as they are drawn caught, from seed 1 on; `null` where that was not counted yet. */
  readonly drawn: Catch | null
  /** Which tests failed; `null` where they were not run yet. */
  readonly tests: Failures | null
}

export const file = fileURLToPath(new URL("records.json", import.meta.url))

export const read = (): ReadonlyMap<string, Record> => {
  const records = JSON.parse(readFileSync(file, "utf8")) as ReadonlyArray<Record>
  return new Map(records.map((record) => [record.name, record]))
}

export const write = (records: ReadonlyArray<Record>): void =>
  writeFileSync(file, `${JSON.stringify(records, null, 2)}\n`)

/** Where to begin to look for a bug. */
export const seedOf = (name: string): number => read().get(name)?.quickSeed ?? 1
