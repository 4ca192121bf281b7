/**
 * What a list of repetitions amounts to: the median, and how far the others lie from it.
 */

/** The value in the middle; the mean of the two in the middle where there are two. */
export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle]
  if (upper === undefined) return Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2
}

/** How far the smallest and the largest value lie apart, as a part of the median: 0.1 is ten per cent. */
export const spread = (values: ReadonlyArray<number>): number =>
  values.length === 0 ? Number.NaN : (Math.max(...values) - Math.min(...values)) / median(values)
