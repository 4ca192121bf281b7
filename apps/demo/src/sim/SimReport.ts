/**
 * What a simulation says while it runs and when it ends.
 */
import type { Summary } from "@effect-raft/core/testing/Simulate"
import * as Table from "../Table.ts"

/** One line that is written over and over. */
export const progressLine = (
  summary: Summary,
  options: { readonly runs: number; readonly realMillis: number }
) => {
  const width = 24
  const done = Math.min(1, summary.runs / options.runs)
  const filled = Math.round(done * width)
  const bar = "#".repeat(filled) + "-".repeat(width - filled)
  const runs = Number.isFinite(options.runs) ? `${summary.runs}/${options.runs}` : `${summary.runs}`
  return `[${bar}] ${runs} runs  ${ratesOf(summary, options.realMillis)}`
}

const ratesOf = (summary: Summary, realMillis: number): string =>
  [
    `${perSecond(summary.runs, realMillis)} runs/s`,
    `${perSecond(summary.events, realMillis)} events/s`,
    `virtual : real ${Math.round(summary.virtualMillis / Math.max(1, realMillis))}`
  ].join("  ")

const perSecond = (count: number, realMillis: number): string => {
  const rate = (count * 1_000) / Math.max(1, realMillis)
  return rate < 10 ? rate.toFixed(1) : String(Math.round(rate))
}

/** The end of a simulation in which everything held. */
export const summaryOf = (summary: Summary, realMillis: number): string => {
  const { counters } = summary
  const rows = Object.entries({ operations: summary.operations, ...counters }).map(([name, count]) => [
    `  ${words(name)}`,
    String(count)
  ])
  const never = Object.entries(counters).filter(([, count]) => count === 0)
  return [
    `${summary.runs} runs, ${Math.round(summary.virtualMillis / 1_000)} virtual seconds in ${(realMillis / 1_000).toFixed(1)} s: everything held`,
    ratesOf(summary, realMillis),
    "met on the way:",
    Table.format(rows),
    ...(never.length === 0
      ? []
      : [`never met, so nothing is proved of: ${never.map(([name]) => words(name)).join(", ")}`])
  ].join("\n")
}

const words = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
