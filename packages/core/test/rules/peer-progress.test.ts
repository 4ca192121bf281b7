/** What a leader knows of its peers: a table that nobody can change, only make anew. */
import { describe, expect, it } from "@effect/vitest"
import { PeerProgress } from "../../src/consensus/PeerProgress.ts"
import * as Progress from "../../src/consensus/Progress.ts"
import * as LogIndex from "../../src/LogIndex.ts"
import * as Build from "./Build.ts"

const at = (index: number) =>
  Progress.initial({ nextIndex: LogIndex.plus(LogIndex.zero, index), nowMillis: 0 })
const [n2, n3, n4] = [Build.id("n2"), Build.id("n3"), Build.id("n4")]

describe("a leader's peers", () => {
  const table = PeerProgress.of([n2, n3], at(1))

  it("are known by name, and nobody else is", () => {
    expect(table.get(n3)).toEqual(at(1))
    expect(table.get(n4)).toBeUndefined()
    expect(table.size).toBe(2)
  })

  it("change one by one, and the table of before stays as it was", () => {
    const next = table.with(n3, at(7))
    expect(next.get(n2)).toEqual(at(1))
    expect(next.get(n3)).toEqual(at(7))
    expect(table.get(n3)).toEqual(at(1))
  })

  it("come last when they are new, in the table that is made for it only", () => {
    const next = table.with(n4, at(7))
    expect(next.peers).toEqual([n2, n3, n4])
    expect(next.get(n4)).toEqual(at(7))
    expect(table.peers).toEqual([n2, n3])
  })

  it("leave with what is known of them", () => {
    const next = table.with(n3, at(7)).filter((_, peer) => peer !== n2)
    expect(next.peers).toEqual([n3])
    expect(next.values()).toEqual([at(7)])
  })
})
