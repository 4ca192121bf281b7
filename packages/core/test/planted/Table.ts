/**
 * What became of each bug, as the page docs/planted-bugs.md.
 */
import type { Bug } from "./Bug.ts"
import type { Catch } from "./Hunt.ts"
import type { Record } from "./Records.ts"
import type { Failures } from "./RuleTests.ts"

/** A chapter of the page. */
export interface Chapter {
  readonly title: string
  readonly bugs: ReadonlyArray<Bug>
}

const heading = [
  "bug, and *what it breaks*",
  "simulator: one in so many runs",
  "first seed",
  "property that failed",
  "rule tests",
  "scripts",
  "tests of the files"
]

const line = (columns: ReadonlyArray<string>): string => `| ${columns.join(" | ")} |`

const cells = (bug: Bug, { drawn, tests }: Record): ReadonlyArray<string> => [
  `${bug.name}<br>*${bug.claim}*`,
  bug.unseen === undefined ? rateOf(drawn) : `not met: ${bug.unseen}`,
  drawn.firstSeed === null ? "" : `${drawn.firstSeed}`,
  propertiesOf(drawn),
  counted(tests.rules),
  counted(tests.scripts.map((script) => script.replace(/\.txt$/, ""))),
  counted(tests.storage)
]

const rateOf = ({ caught, runs }: Catch): string => {
  if (caught === 0) return `none in ${runs}`
  const rate = runs / caught
  return rate < 10 ? rate.toFixed(1) : `${Math.round(rate)}`
}

const propertiesOf = ({ properties }: Catch): string =>
  Object.entries(properties)
    .sort(([, a], [, b]) => b - a)
    .map(([property]) => property)
    .join(", ")

const shownNames = 3

/** Names with their number, the most frequent first; beyond a few only how many there are. */
const counted = (names: ReadonlyArray<string>): string => {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  const sorted = Array.from(counts).sort(([, a], [, b]) => b - a)
  const shown = sorted
    .slice(0, shownNames)
    .map(([name, count]) => (count === 1 ? name : `${name} (${count})`))
  const rest = sorted.length - shownNames
  return rest > 0 ? `${shown.join(", ")} and ${rest} more` : shown.join(", ")
}

const tableOf = ({ bugs, title }: Chapter, records: ReadonlyMap<string, Record>): string =>
  [
    `## ${title}`,
    "",
    line(heading),
    line(heading.map(() => "---")),
    ...bugs.flatMap((bug) => {
      const record = records.get(bug.name)
      return record === undefined ? [] : [line(cells(bug, record))]
    })
  ].join("\n")

/** The whole page. */
export const page = (
  introduction: string,
  chapters: ReadonlyArray<Chapter>,
  records: ReadonlyMap<string, Record>
): string =>
  [introduction.trim(), summaryOf(records), ...chapters.map((chapter) => tableOf(chapter, records))].join(
    "\n\n"
  ) + "\n"

const summaryOf = (records: ReadonlyMap<string, Record>): string => {
  const all = Array.from(records.values())
  const caughtBy = (isCaught: (record: Record) => boolean) =>
    `${all.filter(isCaught).length} of ${all.length}`
  const some = (pick: (tests: Failures) => ReadonlyArray<string>) =>
    caughtBy((it) => pick(it.tests).length > 0)
  const runs = all.reduce((sum, { drawn }) => sum + drawn.runs, 0)
  return [
    "## Who caught how many",
    "",
    line(["who", "caught"]),
    line(["---", "---"]),
    line([
      `the simulator, on plans as they are drawn, ${runs} runs in all`,
      caughtBy((it) => it.drawn.caught > 0)
    ]),
    line(["the tests of the pure rules, with a random walk of 100 seeds", some(({ rules }) => rules)]),
    line(["the scripts", some(({ scripts }) => scripts)]),
    line(["the tests of the files", some(({ storage }) => storage)])
  ].join("\n")
}
