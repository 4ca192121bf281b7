/**
 * How far a leader sends a snapshot ahead of the peer's answers.
 */
import { describe, expect, it } from "vitest"
import * as SnapshotWindow from "../../src/consensus/SnapshotWindow.ts"

const terms: SnapshotWindow.Terms = { sizeBytes: 10_000, pieceBytes: 100, patienceMillis: 500 }

/** Sends all that may be sent now, as its fiber does; gives where each piece began. */
const sendAll = (
  window: SnapshotWindow.SnapshotWindow,
  nowMillis: number,
  { sizeBytes }: { sizeBytes: number }
) => {
  const begins: Array<number> = []
  let next = window
  while (SnapshotWindow.hasRoom(next, { ...terms, sizeBytes })) {
    begins.push(next.sentBytes)
    const bytes = Math.min(terms.pieceBytes, sizeBytes - next.sentBytes)
    next = SnapshotWindow.sent(next, bytes, nowMillis)
  }
  return { window: next, begins }
}

/** A sender, and what it sends when it is told where its peer stands. */
const sender = ({ sizeBytes } = terms) => {
  let window = SnapshotWindow.initial
  return {
    told: (nowMillis: number, standing: Partial<SnapshotWindow.Standing>) => {
      const all = { offset: 0, contactMillis: 0, isLost: false, ...standing }
      const looked = SnapshotWindow.look(window, all, nowMillis, { ...terms, sizeBytes })
      const after = sendAll(looked, nowMillis, { sizeBytes })
      window = after.window
      return after.begins
    }
  }
}

describe("the window of a snapshot", () => {
  it("begins with one piece, which is not sent again while the peer is not heard", () => {
    const { told } = sender()
    expect(told(1000, {})).toEqual([0])
    for (const nowMillis of [1001, 1500, 9000]) expect(told(nowMillis, {})).toEqual([])
  })

  it("sends that piece again when the peer is heard, and knows nothing of it", () => {
    const { told } = sender()
    told(1000, {})
    expect(told(4000, { contactMillis: 4000 })).toEqual([0])
    expect(told(4001, { contactMillis: 4000 })).toEqual([])
  })

  it("opens when the peer answers to a piece", () => {
    const { told } = sender()
    told(1000, {})
    const begins = told(1010, { offset: 100, contactMillis: 1010 })
    expect([begins.length, begins[0], begins.at(-1)]).toEqual([16, 100, 1600])
    expect(told(1020, { offset: 300, contactMillis: 1020 })).toEqual([1700, 1800])
  })

  it("does not send what the peer has from an earlier transfer", () => {
    const { told } = sender()
    told(1000, {})
    expect(told(1010, { offset: 9900, contactMillis: 1010 })).toEqual([9900])
  })

  it("closes when the peer does not get on, and goes on from where it is", () => {
    const { told } = sender()
    told(1000, {})
    told(1010, { offset: 100, contactMillis: 1010 })
    expect(told(1509, { offset: 100, contactMillis: 1010 })).toEqual([])
    expect(told(1510, { offset: 100, contactMillis: 1010 })).toEqual([100])
    expect(told(5000, { offset: 100, contactMillis: 1010 })).toEqual([])
    expect(told(6000, { offset: 100, contactMillis: 6000 })).toEqual([100])
    expect(told(6010, { offset: 200, contactMillis: 6010 })).toHaveLength(16)
  })

  it("closes at once when the connection breaks, and sends again when the peer is back", () => {
    const { told } = sender()
    told(1000, {})
    told(1010, { offset: 100, contactMillis: 1010 })
    expect(told(1020, { offset: 100, contactMillis: 1010, isLost: true })).toEqual([100])
    expect(told(1030, { offset: 100, contactMillis: 1010, isLost: true })).toEqual([])
    expect(told(1040, { offset: 100, contactMillis: 1040 })).toEqual([100])
  })

  it("begins anew when the peer has lost its part", () => {
    const { told } = sender()
    told(1000, {})
    told(1010, { offset: 100, contactMillis: 1010 })
    told(1020, { offset: 600, contactMillis: 1020 })
    expect(told(1030, { offset: 0, contactMillis: 1030 })).toEqual([0])
    expect(told(1040, { offset: 100, contactMillis: 1040 })).toHaveLength(16)
  })

  it("sends an empty snapshot as one empty piece, and again when the peer is heard", () => {
    const { told } = sender({ ...terms, sizeBytes: 0 })
    expect(told(1000, {})).toEqual([0])
    expect(told(2000, {})).toEqual([])
    expect(told(4000, { contactMillis: 4000 })).toEqual([0])
    expect(told(4001, { contactMillis: 4000 })).toEqual([])
  })

  it("sends no more than there is", () => {
    const { told } = sender()
    told(1000, {})
    expect(told(1010, { offset: 9800, contactMillis: 1010 })).toEqual([9800, 9900])
    expect(told(1020, { offset: 10_000, contactMillis: 1020 })).toEqual([])
  })
})
