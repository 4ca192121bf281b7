/** A small generator of numbers, so that a failure can be repeated. */
export const diceFrom = (start: number) => {
  let seed = start
  return (sides: number): number => {
    seed = (seed * 48271) % 2147483647
    return seed % sides
  }
}
