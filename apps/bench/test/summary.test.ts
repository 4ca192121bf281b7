import { describe, expect, it } from "@effect/vitest"
import type { Measurement } from "../src/Measurement.ts"
import * as Statistics from "../src/Statistics.ts"
import * as Summary from "../src/Summary.ts"

const measurement = (subject: string, clients: number, perSecond: number): Measurement => ({
  scenario: "test",
  subject,
  case: { clients },
  round: 1,
  figures: { perSecond },
  machineLoad: 0
})

describe("statistics", () => {
  it("takes the middle, whatever the order", () => {
    expect(Statistics.median([9, 1, 5])).toBe(5)
    expect(Statistics.median([4, 1, 3, 2])).toBe(2.5)
    expect(Statistics.median([])).toBeNaN()
  })

  it("tells how far the rounds lie apart", () => {
    expect(Statistics.spread([90, 100, 120])).toBeCloseTo(0.3)
  })
})

describe("the table of a scenario", () => {
  const layout: Summary.Layout = {
    baseline: "theirs",
    columns: [
      { figure: "perSecond", title: "per second", decimals: 0, ratio: true },
      { figure: "absent", title: "never measured", decimals: 0 }
    ]
  }

  it("shows medians case by case, and how they stand to the baseline of the same case", () => {
    const rows = [
      measurement("theirs", 1, 100),
      measurement("ours", 1, 250),
      measurement("theirs", 64, 1000),
      measurement("ours", 64, 8000),
      measurement("ours", 64, 9000),
      measurement("ours", 64, 10_000)
    ]
    expect(Summary.table(rows, layout).split("\n")).toEqual([
      "case        subject  rounds  per second",
      "clients 1   theirs   1       100",
      "clients 1   ours     1       250 (2.50x)",
      "clients 64  theirs   1       1,000",
      "clients 64  ours     3       9,000 ±11% (9.00x)"
    ])
  })
})
