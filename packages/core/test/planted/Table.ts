/**
 * What became of each bug, as a table in Markdown.
 */
import type { Bug } from "./Bug.ts"
import type { Catch, Failures } from "./Hunters.ts"

export interface Row {
  readonly bug: Bug
  readonly simulator: Catch
  readonly rules: Failures
  readonly scripts: Failures
}

const cells = ({ bug, simulator, rules, scripts }: Row): ReadonlyArray<string> => [
  `${bug.name}<br>*${bug.claim}*`,
  `${simulator.caught} of ${simulator.runs}`,
  simulator.firstSeed === null ? "" : `${simulator.firstSeed}`,
  Object.entries(simulator.properties)
    .sort(([, a], [, b]) => b - a)
    .map(([property, count]) => `${property} ${count}`)
    .join(", "),
  `${rules.failed}`,
  `${scripts.failed}`
]

const heading = [
  "bug, and *what it breaks*",
  "runs of the simulator that caught it",
  "first seed",
  "property",
  "rule tests that failed",
  "scripts that failed"
]

const line = (columns: ReadonlyArray<string>): string => `| ${columns.join(" | ")} |`

/** One line of the table. */
export const rowOf = (row: Row): string => line(cells(row))

const table = (rows: ReadonlyArray<Row>): string =>
  [line(heading), line(heading.map(() => "---")), ...rows.map(rowOf)].join("\n")

/** The whole page docs/planted-bugs.md. */
export const page = (rows: ReadonlyArray<Row>): string => {
  const { runs } = rows[0]!.simulator
  const [{ total: rules }, { total: scripts }] = [rows[0]!.rules, rows[0]!.scripts]
  const caughtBy = (isCaught: (row: Row) => boolean) => `${rows.filter(isCaught).length} of ${rows.length}`
  return `# Planted bugs

A test of the tests: each of these bugs was put into the code, one at a time, and everybody looked for it. The bugs are
data, in [\`packages/core/test/planted\`](../packages/core/test/planted): a place in a source file and what
stands there instead. The source itself has no switches; a loader puts the bug in when the file is loaded.

- **The simulator** ran seeds 1 to ${runs} with each bug, on the machine \`Shelf\`. It caught ${caughtBy(({ simulator }) => simulator.caught > 0)}.
  "Property" says which check failed first in those runs.
- **The rule tests** are ${rules} tests of the pure rules, a random walk of 100 seeds among them. They caught
  ${caughtBy(({ rules }) => rules.failed > 0)}; they do not see the code around the rules.
- **The scripts** are ${scripts}. They caught ${caughtBy(({ scripts }) => scripts.failed > 0)}.

\`pnpm planted --write\` makes this page anew. In CI a quick form runs: every bug must be caught by the simulator, from the
seed in \`seeds.json\` on.

${table(rows)}
`
}
