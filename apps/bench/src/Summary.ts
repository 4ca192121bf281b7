/**
 * The table at the end of a scenario: the cases in rows, a subject after the other, with the median of
 * every figure over the rounds and, where a scenario names a baseline, the ratio to it.
 */
import * as Measurement from "./Measurement.ts"
import * as Statistics from "./Statistics.ts"

/** A figure that has a column in the table. */
export interface Column {
  readonly figure: string
  readonly title: string
  readonly decimals: number
  /** Whether the table also says how it stands to the baseline's. */
  readonly ratio?: boolean
}

export interface Layout {
  readonly columns: ReadonlyArray<Column>
  /** The subject that the others are held against. */
  readonly baseline?: string
}

interface Group {
  readonly case: Measurement.Case
  readonly subject: string
  readonly measurements: ReadonlyArray<Measurement.Measurement>
}

/** The lines of the table. */
export const table = (
  measurements: ReadonlyArray<Measurement.Measurement>,
  { baseline, columns }: Layout
): string => {
  const groups = groupsOf(measurements)
  const shown = columns.filter(({ figure }) => measurements.some(({ figures }) => figure in figures))
  const rows = groups.map((group) => {
    const base = baseline === undefined ? undefined : baselineOf(groups, group, baseline)
    return [
      Measurement.describe(group.case),
      group.subject,
      String(group.measurements.length),
      ...shown.map((column) => cell(group, base, column))
    ]
  })
  return format([["case", "subject", "rounds", ...shown.map(({ title }) => title)], ...rows])
}

/** The median of a figure over the rounds of one subject in one case; NaN where it was not measured. */
const medianOf = (measurements: ReadonlyArray<Measurement.Measurement>, figure: string): number =>
  Statistics.median(valuesOf(measurements, figure))

const valuesOf = (
  measurements: ReadonlyArray<Measurement.Measurement>,
  figure: string
): ReadonlyArray<number> => measurements.flatMap(({ figures }) => figures[figure] ?? [])

const groupsOf = (measurements: ReadonlyArray<Measurement.Measurement>): ReadonlyArray<Group> => {
  const byKey = Map.groupBy(measurements, (one) => `${Measurement.describe(one.case)}/${one.subject}`)
  const groups = Array.from(byKey.values(), (list): Group => ({
    case: list[0]!.case,
    subject: list[0]!.subject,
    measurements: list
  }))
  const caseOrder = Array.from(new Set(groups.map((group) => Measurement.describe(group.case))))
  return groups.sort(
    (a, b) =>
      caseOrder.indexOf(Measurement.describe(a.case)) - caseOrder.indexOf(Measurement.describe(b.case))
  )
}

const baselineOf = (groups: ReadonlyArray<Group>, group: Group, baseline: string): Group | undefined =>
  group.subject === baseline
    ? undefined
    : groups.find(
        (other) =>
          other.subject === baseline && Measurement.describe(other.case) === Measurement.describe(group.case)
      )

const cell = (group: Group, base: Group | undefined, { decimals, figure, ratio }: Column): string => {
  const values = valuesOf(group.measurements, figure)
  if (values.length === 0) return "-"
  const value = Statistics.median(values)
  const text =
    grouped(value, decimals) + (values.length > 1 ? ` ±${percent(Statistics.spread(values) / 2)}` : "")
  const standard = base === undefined ? Number.NaN : medianOf(base.measurements, figure)
  return ratio === true && standard > 0 ? `${text} (${(value / standard).toFixed(2)}x)` : text
}

const percent = (part: number): string => `${Math.round(part * 100)}%`

const grouped = (value: number, decimals: number): string =>
  value.toLocaleString("en-GB", { minimumFractionDigits: decimals, maximumFractionDigits: decimals })

const format = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths: Array<number> = []
  for (const row of rows) {
    for (const [at, text] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, text.length)
  }
  return rows
    .map((row) =>
      row
        .map((text, at) => text.padEnd(widths[at] ?? 0))
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}
