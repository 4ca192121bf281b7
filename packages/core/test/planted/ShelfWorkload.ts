/**
 * Clients of the shelf, and the judgement on what they were told: for each key the history must be that
 * of one copy (linearizability). Every value is written once, so that nobody can be right by accident.
 */
import * as KvModel from "../../src/testing/KvModel.ts"
import * as Linearizability from "../../src/testing/Linearizability.ts"
import type { Completed, Request, Turn, Workload } from "../../src/testing/Workload.ts"
import type { Command, Texts } from "./Shelf.ts"

const keys = ["a", "b", "c"] as const

const next = ({ dice, client, count, last }: Turn<Command, Texts>): Request<Command, Texts> => {
  const key = keys[dice.within([0, keys.length - 1])]!
  const value = `${client}.${count};`
  if (dice.happens(0.4)) return { _tag: "Read", query: (texts) => texts[key] ?? null, about: key }
  if (dice.happens(0.2)) return { _tag: "Propose", command: { _tag: "Append", key, value } }
  // A client that has just read goes on to compare-and-set what it saw, now and then.
  if (last?.input._tag === "Read" && last.outcome._tag === "Ok" && dice.happens(0.5)) {
    const expected = last.outcome.output.value as string | null
    return { _tag: "Propose", command: { _tag: "Cas", key: last.input.about!, expected, value } }
  }
  return { _tag: "Propose", command: { _tag: "Put", key, value } }
}

type Done = Completed<Command, Texts>

const inputOf = ({ input }: Done): KvModel.KvInput => {
  if (input._tag === "Read") return { op: "get", key: input.about! }
  const { command } = input
  const { key, value } = command
  if (command._tag === "Put") return { op: "put", key, value }
  if (command._tag === "Append") return { op: "append", key, value }
  return { op: "cas", key, expected: command.expected, value }
}

const outcomeOf = ({ input, outcome }: Done): KvModel.KvOperation["outcome"] => {
  if (outcome._tag !== "Ok") return outcome
  const text = outcome.output.value as string | null
  if (input._tag === "Propose" && input.command._tag === "Cas") {
    return { _tag: "Ok", output: text === input.command.expected }
  }
  return { _tag: "Ok", output: input._tag === "Read" ? text : null }
}

export const workload: Workload<Command, Texts> = {
  next,
  check: (history) => {
    const operations = history.map((done) => ({ ...done, input: inputOf(done), outcome: outcomeOf(done) }))
    const verdict = Linearizability.check(KvModel.KvModel, operations)
    // A history that is too hard to judge is no failure; the other checks still hold for it.
    return verdict._tag === "NotLinearizable" ? Linearizability.render(KvModel.KvModel, verdict) : undefined
  }
}
