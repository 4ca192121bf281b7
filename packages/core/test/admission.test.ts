/** Which forwarded commands a leader takes: each once, however often and in whatever order it arrives. */
import { describe, expect, it } from "@effect/vitest"
import { Admission } from "../src/internal/Admission.ts"
import type { Verdict } from "../src/internal/Admission.ts"
import type { NodeId } from "../src/NodeId.ts"
import type { Term } from "../src/Term.ts"
import { Dice } from "./rules/Dice.ts"

const term = 3 as Term

const leader = () => {
  const admission = new Admission(2 as Term)
  return (requestId: number, from = "n2"): Verdict =>
    admission.judge({ from: from as NodeId, requestId, term, currentTerm: term, isLeader: true })
}

describe("a leader that is passed commands", () => {
  it("takes each once", () => {
    const judge = leader()
    expect([7, 8, 9].map((id) => judge(id))).toEqual(["Take", "Take", "Take"])
    expect([7, 8, 9].map((id) => judge(id))).toEqual(["Ignore", "Ignore", "Ignore"])
  })

  it("takes those that were overtaken, and those from before the first", () => {
    const judge = leader()
    expect([7, 9, 10, 8, 5].map((id) => judge(id))).toEqual(["Take", "Take", "Take", "Take", "Take"])
    expect([5, 7, 8, 9, 10].map((id) => judge(id))).toEqual([
      "Ignore",
      "Ignore",
      "Ignore",
      "Ignore",
      "Ignore"
    ])
    expect([6, 11].map((id) => judge(id))).toEqual(["Take", "Take"])
  })

  it("keeps senders apart", () => {
    const judge = leader()
    expect([judge(7, "n2"), judge(7, "n3"), judge(7, "n2")]).toEqual(["Take", "Take", "Ignore"])
  })

  it("takes each once, in 1,000 random orders", () => {
    for (let seed = 0; seed < 1000; seed++) {
      const dice = new Dice(seed)
      const judge = leader()
      const taken = new Set<number>()
      for (let arrival = 0; arrival < 60; arrival++) {
        const id = 100 + dice.below(20)
        expect(judge(id), `seed ${seed}, id ${id}`).toBe(taken.has(id) ? "Ignore" : "Take")
        taken.add(id)
      }
    }
  })
})
