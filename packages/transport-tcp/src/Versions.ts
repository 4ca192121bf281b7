/**
 * Which versions of a protocol an end speaks, and which one two ends use: the newest that both have. So the
 * programs on both sides can be replaced one after the other.
 */

/** From the oldest to the newest, both included. From 1 to 255. */
export interface Versions {
  readonly oldest: number
  readonly newest: number
}

/** The newest version that both speak; `undefined` when there is none. */
export const common = (one: Versions, other: Versions): number | undefined => {
  const newest = Math.min(one.newest, other.newest)
  return newest >= Math.max(one.oldest, other.oldest) ? newest : undefined
}

/** For a person: "version 2", "versions 1 to 2". */
export const show = ({ newest, oldest }: Versions): string =>
  oldest === newest ? `version ${oldest}` : `versions ${oldest} to ${newest}`
