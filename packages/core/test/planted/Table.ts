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
  "quick hunt: caught in run",
  "plans as drawn: one in so many runs",
  "property that failed",
  "tests of rules and parts",
  "scripts",
  "tests of the files"
]

const line = (columns: ReadonlyArray<string>): string => `| ${columns.join(" | ")} |`

const cells = (bug: Bug, { drawn, quickSeed, tests }: Record): ReadonlyArray<string> => [
  `${bug.name}<br>*${bug.claim}*`,
  bug.unseen === undefined
    ? `${quickSeed}${bug.aim === undefined ? "" : " (aimed)"}`
    : `not met: ${bug.unseen}`,
  bug.unseen === undefined && drawn !== null ? rateOf(drawn) : "",
  drawn === null ? "" : propertiesOf(drawn),
  ...failuresOf(tests)
]

const failuresOf = (tests: Failures | null): ReadonlyArray<string> =>
  tests === null
    ? ["", "", ""]
    : [
        orNone(tests.rules),
        orNone(tests.scripts.map((script) => script.replace(/\.txt$/, ""))),
        orNone(tests.storage)
      ]

const orNone = (names: ReadonlyArray<string>): string => (names.length === 0 ? "none" : counted(names))

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
  const drawn = all.flatMap((record) => record.drawn ?? []).filter(({ runs }) => runs > 0)
  const tested = all.flatMap((record) => record.tests ?? [])
  const caught = (what: ReadonlyArray<unknown>, of: ReadonlyArray<unknown>) =>
    `${what.length} of ${of.length}`
  const failing = (pick: (tests: Failures) => ReadonlyArray<string>) =>
    caught(
      tested.filter((tests) => pick(tests).length > 0),
      tested
    )
  return [
    "## Who caught how many",
    "",
    "Of those for which it was counted; a cell of the tables is empty where it was not.",
    "",
    line(["who", "caught"]),
    line(["---", "---"]),
    line([
      `the simulator, on plans as they are drawn, ${drawn.reduce((sum, { runs }) => sum + runs, 0)} runs in all`,
      caught(
        drawn.filter((found) => found.caught > 0),
        drawn
      )
    ]),
    line([
      "the tests of rules and parts, a random walk of 100 seeds among them",
      failing(({ rules }) => rules)
    ]),
    line(["the scripts", failing(({ scripts }) => scripts)])
  ].join("\n")
}
