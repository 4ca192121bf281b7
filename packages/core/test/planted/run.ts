/**
 * `pnpm planted`: plants each bug, lets everybody look for it, and prints who found it.
 *
 * `--runs N` seeds for each bug (200); `--only TEXT` only bugs with this in their name; `--write` writes
 * docs/planted-bugs.md; `--seeds` looks only for the first seed that catches each, and writes seeds.json.
 */
import { writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { bugs } from "./bugs.ts"
import * as Hunters from "./Hunters.ts"
import * as Seeds from "./Seeds.ts"
import * as Table from "./Table.ts"

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "200" },
    only: { type: "string", default: "" },
    write: { type: "boolean", default: false },
    seeds: { type: "boolean", default: false }
  }
})

const print = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

const chosen = bugs.filter(({ name }) => name.includes(values.only))

const findSeeds = async (): Promise<void> => {
  const found = await Hunters.mapParallel(chosen, Hunters.width, async (bug) => {
    const { firstSeed, runs } = await Hunters.simulate({ bug, firstSeed: 1, runs: 2_000, stopsAtFirst: true })
    print(`${bug.name}: ${firstSeed === null ? `not in ${runs} runs` : `seed ${firstSeed}`}`)
    return [bug.name, firstSeed] as const
  })
  Seeds.write(found.filter((entry): entry is readonly [string, number] => entry[1] !== null))
}

const makeTable = async (): Promise<void> => {
  const rows = await Hunters.mapParallel(chosen, Hunters.width, async (bug): Promise<Table.Row> => {
    const simulator = await Hunters.simulate({ bug, firstSeed: 1, runs: Number(values.runs) })
    const row = { bug, simulator, ...(await Hunters.test(bug)) }
    print(Table.rowOf(row))
    return row
  })
  if (values.write)
    writeFileSync(new URL("../../../../docs/planted-bugs.md", import.meta.url), Table.page(rows))
  const missed = rows.filter(({ simulator }) => simulator.caught === 0)
  for (const { bug } of missed) print(`The simulator missed: ${bug.name}`)
  process.exitCode = missed.length > 0 ? 1 : 0
}

await (values.seeds ? findSeeds() : makeTable())
