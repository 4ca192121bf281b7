import { describe, expect, it } from "@effect/vitest"
import { FlushPlace, maxLoopBytes, slowMillis } from "../src/FlushPlace.ts"

const quick = slowMillis / 10

/** Flushes in the pool until the loop has its turn again. */
const flushesInPool = (place: FlushPlace, millis: number, atMost: number): number => {
  let count = 0
  while (!place.isLoop(100) && count < atMost) {
    place.ranInPool(millis, 100)
    count += 1
  }
  return count
}

describe("where a flush runs", () => {
  it("stays on the event loop while the disk is quick", () => {
    const place = new FlushPlace()
    for (let i = 0; i < 1000; i++) {
      expect(place.isLoop(100)).toBe(true)
      place.ranOnLoop(quick)
    }
  })

  it("goes to the pool with a large write, whatever the disk", () => {
    expect(new FlushPlace().isLoop(maxLoopBytes + 1)).toBe(false)
  })

  it("leaves the loop after one slow flush, and comes back after quick ones in a row", () => {
    const place = new FlushPlace()
    place.ranOnLoop(slowMillis)
    const first = flushesInPool(place, quick, 100_000)
    expect(first).toBeGreaterThan(10)
    place.ranOnLoop(slowMillis)
    expect(flushesInPool(place, quick, 100_000)).toBe(2 * first)
  })

  it("forgets slow flushes on the loop when many were quick there", () => {
    const place = new FlushPlace()
    const slowOnLoop = () => {
      place.ranOnLoop(slowMillis)
      return flushesInPool(place, quick, 100_000)
    }
    const first = slowOnLoop()
    for (let i = 0; i < 4; i++) slowOnLoop()
    const long = slowOnLoop()
    expect(long).toBe(32 * first)
    for (let i = 0; i < first; i++) place.ranOnLoop(quick)
    expect(slowOnLoop()).toBe(long)
    for (let i = 0; i < 20 * first; i++) place.ranOnLoop(quick)
    expect(slowOnLoop()).toBe(first)
  })

  it("does not come back while the disk is slow now and then", () => {
    const place = new FlushPlace()
    place.ranOnLoop(slowMillis)
    for (let i = 0; i < 1000; i++) {
      place.ranInPool(i % 20 === 0 ? slowMillis : quick, 100)
      expect(place.isLoop(100)).toBe(false)
    }
  })

  it("learns nothing from large flushes", () => {
    const place = new FlushPlace()
    place.ranOnLoop(slowMillis)
    for (let i = 0; i < 1000; i++) place.ranInPool(quick, maxLoopBytes + 1)
    expect(place.isLoop(100)).toBe(false)
  })

  it("leaves the loop while a large flush is under way, and for a while after", () => {
    const place = new FlushPlace()
    place.startInPool(maxLoopBytes + 1)
    expect(place.isLoop(100)).toBe(false)
    expect(flushesInPool(place, quick, 1000)).toBe(1000)
    place.endInPool(slowMillis, maxLoopBytes + 1)
    expect(place.isLoop(100)).toBe(false)
    expect(flushesInPool(place, quick, 1000)).toBeGreaterThan(10)
    expect(place.isLoop(100)).toBe(true)
  })

  it("comes back at once after a large flush that had little to do", () => {
    const place = new FlushPlace()
    place.startInPool(Number.POSITIVE_INFINITY)
    expect(place.isLoop(100)).toBe(false)
    place.endInPool(quick, Number.POSITIVE_INFINITY)
    expect(place.isLoop(100)).toBe(true)
  })

  it("minds no small flush in the pool", () => {
    const place = new FlushPlace()
    place.startInPool(100)
    expect(place.isLoop(100)).toBe(true)
    place.endInPool(quick, 100)
    expect(place.isLoop(100)).toBe(true)
  })
})
