/**
 * What the simulator's oracle makes of what clients were told and of what was applied.
 */
import { describe, expect, it } from "vitest"
import type { LogEntry } from "../src/LogEntry.ts"
import type { LogIndex } from "../src/LogIndex.ts"
import * as Oracle from "../src/testing/simulation/Oracle.ts"
import type { Term } from "../src/Term.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

const acknowledged = (client: number, text: string, index: number): Oracle.Attempt => ({
  client,
  payload: bytes(text),
  outcome: { _tag: "Acknowledged", index: index as LogIndex }
})
const unknown = (client: number, text: string): Oracle.Attempt => ({
  client,
  payload: bytes(text),
  outcome: { _tag: "Unknown" }
})
const none = (client: number, text: string): Oracle.Attempt => ({
  client,
  payload: bytes(text),
  outcome: { _tag: "None" }
})

/** The commands that were applied from index 1 on; an empty one is the no-op of a leader. */
const log =
  (...texts: ReadonlyArray<string>) =>
  (index: LogIndex): LogEntry | undefined => {
    const text = texts[index - 1]
    return text === undefined
      ? undefined
      : {
          index,
          term: 1 as Term,
          kind: text === "" ? "NoOp" : "Command",
          payload: bytes(text),
          timestampMillis: 10 * index
        }
  }

describe("what clients were told is held against what was applied", () => {
  it("holds where everybody was told the truth", () => {
    const attempts = [
      acknowledged(1, "a", 2),
      unknown(2, "b"),
      unknown(2, "c"),
      none(1, "d"),
      acknowledged(1, "a", 4)
    ]
    expect(Oracle.check(attempts, log("", "a", "c", "a"))).toBeUndefined()
  })

  it.each([
    ["is not there", [acknowledged(1, "a", 3)], log("", "a")],
    ["is another one", [acknowledged(1, "a", 1)], log("b")]
  ])("an acknowledged command %s", (_, attempts, applied) => {
    expect(Oracle.check(attempts, applied)).toMatch(/client 1 was acknowledged at index \d, and is not there/)
  })

  it("two commands are not at one place, also where they say the same", () => {
    expect(Oracle.check([acknowledged(1, "a", 1), acknowledged(2, "a", 1)], log("a", "a"))).toBe(
      "clients 1 and 2 were both told index 1"
    )
  })

  it.each([
    ["nobody has proposed", [], log("a")],
    ["surely did not happen", [none(1, "a")], log("a")],
    ["was acknowledged, and is there once more", [acknowledged(1, "a", 1)], log("a", "a")],
    ["was proposed once, and is there twice", [unknown(1, "a")], log("a", "a")]
  ])("nothing is applied that %s", (_, attempts, applied) => {
    expect(Oracle.check(attempts, applied)).toMatch(/the command a was applied \d times beside/)
  })

  it("a client's commands stand in the order in which they were acknowledged", () => {
    expect(Oracle.check([acknowledged(1, "b", 2), acknowledged(1, "a", 1)], log("a", "b"))).toBe(
      "client 1 was told index 1 after index 2"
    )
  })

  it("time does not go back", () => {
    const applied = log("a", "b")
    const turned = (index: LogIndex): LogEntry | undefined => {
      const entry = applied(index)
      return entry === undefined ? undefined : { ...entry, timestampMillis: 100 - entry.timestampMillis }
    }
    expect(Oracle.check([unknown(1, "a"), unknown(1, "b")], turned)).toBe(
      "the entry at index 2 is of 80 ms, the one before it of 90 ms"
    )
  })
})
