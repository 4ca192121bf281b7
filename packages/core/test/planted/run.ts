/**
 * `pnpm planted`: plants each bug and lets the simulator look for it, quickly, as CI does.
 *
 * `--only TEXT` takes the bugs with this in their name, or in that of their chapter. `--seek` searches anew:
 * the seed for CI, how often plans as they are drawn find it (`--runs N` at most, 1,000, until `--catches N`,
 * 10), and which tests fail; it writes records.json and docs/planted-bugs.md. `--what quick,drawn,tests` does a
 * part of that, `--missing` only what the tables lack.
 */
import { execFileSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import type { Bug } from "./Bug.ts"
import { bugs, chapters } from "./bugs.ts"
import type { Catch } from "./Hunt.ts"
import * as Hunters from "./Hunters.ts"
import * as QuickHunt from "./QuickHunt.ts"
import * as Records from "./Records.ts"
import * as RuleTests from "./RuleTests.ts"
import * as Table from "./Table.ts"

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    seek: { type: "boolean", default: false },
    runs: { type: "string", default: "1000" },
    catches: { type: "string", default: "10" },
    what: { type: "string", default: "" },
    missing: { type: "boolean", default: false }
  }
})

const print = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

const hunters = Hunters.make()
const isChosen = (text: string) => text.toLowerCase().includes(values.only.toLowerCase())
const chosen = chapters.flatMap(({ bugs, title }) =>
  isChosen(title) ? bugs : bugs.filter(({ name }) => isChosen(name))
)

const huntQuickly = async (bug: Bug): Promise<boolean> => {
  const { caught, firstSeed, properties, runs } = await QuickHunt.hunt(hunters, bug)
  const found = caught > 0 ? `seed ${firstSeed}, ${Object.keys(properties)[0]}` : "MISSED"
  print(`${bug.name}: ${found}, after ${runs} runs`)
  return caught > 0
}

const seek = async (bug: Bug): Promise<boolean> => {
  const known = Records.read().get(bug.name) ?? unknown
  const quick =
    seeks("quick", known.quickSeed) && bug.unseen === undefined
      ? await QuickHunt.hunt(hunters, bug, 1)
      : undefined
  const drawn = seeks("drawn", known.drawn) && bug.unseen === undefined ? await huntDrawn(bug) : known.drawn
  const tests = seeks("tests", known.tests) ? await test(bug) : known.tests
  keep({ name: bug.name, quickSeed: quick?.firstSeed ?? known.quickSeed, drawn, tests })
  print(`${bug.name}: quick ${JSON.stringify(quick)}, drawn ${JSON.stringify(drawn)}`)
  return (quick?.caught ?? 1) > 0
}

/** What is searched anew; everything with an empty list, but with `--missing` not what is known. */
const seeks = (what: "quick" | "drawn" | "tests", known: unknown): boolean =>
  (values.what === "" || values.what.split(",").includes(what)) && !(values.missing && known !== null)

const unknown = { quickSeed: 1, drawn: null, tests: null }

const huntDrawn = (bug: Bug): Promise<Catch> =>
  hunters.hunt(bug, {
    firstSeed: 1,
    runs: Number(values.runs),
    catches: Number(values.catches),
    plans: "Drawn"
  })

/** One run of the tests at a time: each takes all processors that it finds. */
let lastTest: Promise<unknown> = Promise.resolve()
const test = (bug: Bug): Promise<RuleTests.Failures> => {
  const result = lastTest.then(() => RuleTests.run(bug))
  lastTest = result.catch(() => undefined)
  return result
}

const keep = (record: Records.Record): void => {
  const records = new Map(Records.read()).set(record.name, record)
  Records.write(bugs.flatMap(({ name }) => records.get(name) ?? []))
}

const root = fileURLToPath(new URL("../../../../", import.meta.url))

/** What was written looks as the check of the format wants it. */
const format = (...files: ReadonlyArray<string>): void => {
  execFileSync(path.join(root, "node_modules/.bin/oxfmt"), files, { cwd: root })
}

const writePage = (): void => {
  const page = path.join(root, "docs/planted-bugs.md")
  const introduction = readFileSync(new URL("introduction.md", import.meta.url), "utf8")
  writeFileSync(page, Table.page(introduction, chapters, Records.read()))
  format(page, Records.file)
}

const look = (bug: Bug): Promise<boolean> => {
  if (values.seek) return seek(bug)
  return bug.unseen === undefined ? huntQuickly(bug) : Promise.resolve(true)
}

const results = await Promise.all(chosen.map(look))
hunters.close()
if (values.seek) writePage()
const missed = chosen.filter((_, at) => results[at] === false)
for (const { name } of missed) print(`The simulator missed: ${name}`)
process.exitCode = missed.length > 0 ? 1 : 0
