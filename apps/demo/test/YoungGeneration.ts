/**
 * A program that makes objects of which half stay for a while, and prints the largest size that its young generation
 * had, in MiB. Given a size, in MiB, it restrains it.
 */
import * as NodeV8 from "node:v8"
import * as Collector from "../src/Collector.ts"

const rounds = 1600
const objectsOfRound = 5000
const stayingRounds = 64

const youngMib = () =>
  NodeV8.getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space")!.space_size / 1024 ** 2

const [, , grownMib] = process.argv
const watch = grownMib === undefined ? () => undefined : Collector.makeWatch(Number(grownMib) * 1024 ** 2)
const staying: Array<Array<object>> = []
let largest = 0
for (let round = 0; round < rounds; round++) {
  const all = Array.from({ length: objectsOfRound }, (_, at) => ({ at }))
  staying.push(all.filter((_, at) => at % 2 === 0))
  if (staying.length > stayingRounds) staying.shift()
  watch()
  largest = Math.max(largest, youngMib())
}
process.stdout.write(String(largest))
