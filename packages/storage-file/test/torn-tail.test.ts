/**
 * A write that was cut short is cut off and reported. Every byte of a small log is tried, in a file that was zeros
 * before and in one that was a segment.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as StampedSectors from "@effect-raft/storage-file/StampedSectors"
import { directory, headerOf, prefixOf, withStore } from "./support.ts"
import { grounds, openOn, without, withZeros } from "./written-logs.ts"
import type { WrittenLog } from "./written-logs.ts"

const { sectorBytes } = StampedSectors

/**
 * Whether this byte may be there after a write was cut off that ended at `cut`: since format 4 the stamp of the
 * sector in which the record before ends, and what no disk does, a part of a sector, which counts as not written.
 */
const mayStay = ({ boundaries, bytes, segment }: WrittenLog, at: number, cut: number): boolean => {
  if (headerOf(segment, bytes).version < 4) return false
  const sector = Math.floor(at / sectorBytes)
  return sector === Math.floor(boundaries[3]! / sectorBytes)
    ? at % sectorBytes >= sectorBytes - 4
    : sector === Math.floor(cut / sectorBytes)
}

describe.each(grounds)("B16: a last record that was cut short $name", (ground) => {
  it.effect("at any byte is cut off, reported, and written over", () =>
    Effect.gen(function* () {
      const log = yield* ground.write("Killed")
      const { boundaries, files, prepared, segment, writtenEnd, written } = log
      const [start, end] = [boundaries[3]!, boundaries[4]!]
      for (let cut = start; cut < end; cut += ground.tornBytes) {
        const found = yield* openOn(log, without(log, cut, writtenEnd))
        if (Result.isFailure(found)) return assert.fail(`cut at ${cut - start}: ${found.failure.message}`)
        assert.strictEqual(found.success.prefix, 3, `cut at ${cut - start}`)
        assert.strictEqual(found.success.notes.length, cut === start ? 0 : 1)
        const left = files.bytesOf(directory, segment).subarray(start, cut)
        assert.isTrue(
          left.every((byte, at) => byte === 0 || mayStay(log, start + at, cut)),
          `cut at ${cut - start}`
        )
        yield* withStore(files.layer, (store) => store.write(written[prepared + 3]!))
        const prefix = yield* withStore(files.layer, (store) => Effect.sync(() => prefixOf(written, store)))
        assert.strictEqual(prefix, written.length)
      }
    })
  )

  it.effect("in any order of its sectors is cut off", () =>
    Effect.gen(function* () {
      const log = yield* ground.write("Killed")
      const { boundaries, bytes, former, writtenEnd } = log
      const start = boundaries[3]!
      const first = Math.floor(start / sectorBytes)
      const sectors = Math.ceil(writtenEnd / sectorBytes) - first
      assert.isAtLeast(sectors, 4)
      for (let subset = 0; subset < 2 ** sectors - 1; subset++) {
        const torn = bytes.slice()
        for (let sector = 0; sector < sectors; sector++) {
          if ((subset & (1 << sector)) !== 0) continue
          const from = Math.max(start, (first + sector) * sectorBytes)
          const to = Math.min(writtenEnd, (first + sector + 1) * sectorBytes)
          torn.set(former.subarray(from, to), from)
        }
        const found = yield* openOn(log, torn)
        assert.isTrue(Result.isSuccess(found) && found.success.prefix === 3, `sectors ${subset.toString(2)}`)
      }
    })
  )

  it.effect("is cut off although the recovery before was cut short while it cleared it away", () =>
    Effect.gen(function* () {
      const log = yield* ground.write("Killed")
      const [start, end] = [log.boundaries[3]!, log.boundaries[4]!]
      const torn = without(log, end - 100, log.writtenEnd)
      for (let cleared = start; cleared < end; cleared += 4) {
        const found = yield* openOn(log, withZeros(torn, start, cleared))
        assert.isTrue(Result.isSuccess(found) && found.success.prefix === 3, `cleared ${cleared - start}`)
      }
    })
  )

  it.effect("is cut off where another one was cut off and cleared away before", () =>
    Effect.gen(function* () {
      const log = yield* ground.write("Killed")
      const { boundaries, bytes, former } = log
      const [start, end] = [boundaries[3]!, boundaries[4]!]
      for (let cut = start; cut < end; cut += 4) {
        const torn = withZeros(former, start, Math.ceil((end + 2000) / sectorBytes) * sectorBytes)
        torn.set(bytes.subarray(0, cut))
        const found = yield* openOn(log, torn)
        assert.isTrue(Result.isSuccess(found) && found.success.prefix === 3, `cut at ${cut - start}`)
      }
    })
  )
})
