/** The page about the trace has every event in it, and every field. */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { TraceEvent } from "../src/TraceEvent.ts"
import * as TraceEvents from "../src/TraceEvent.ts"
import { TracedMessage } from "../src/TracedMessage.ts"

describe("docs/trace.md", () => {
  const page = readFileSync(new URL("../../../docs/trace.md", import.meta.url), "utf8")
  const [inEveryLine = "", ...sections] = page.split(/^### /m)
  const momentFields = Object.keys(TraceEvents.momentOf({ outgoing: [] } as never))

  it("has a section for every kind of event, with a line that can be read", () => {
    const headings = sections.map((section) => section.split("\n")[0]!)
    assert.deepStrictEqual(headings.toSorted(), Object.keys(TraceEvent.cases).toSorted())
    for (const [at, section] of sections.entries()) {
      const examples = Array.from(section.matchAll(/^```json\n(.*)\n```$/gm), ([, line]) => line!)
      assert.strictEqual(examples.length, 1, headings[at])
      const event = TraceEvents.fromLine(examples[0]!)
      assert.strictEqual(event._tag, headings[at])
      assert.strictEqual(TraceEvents.toLine(event), examples[0])
    }
  })

  it("names every field", () => {
    for (const field of ["_tag", ...momentFields]) assert.include(inEveryLine, `| \`${field}\` |`)
    for (const [tag, { fields }] of Object.entries(TraceEvent.cases)) {
      const section = sections
        .find((text) => text.startsWith(`${tag}\n`))!
        .replaceAll(/^```json\n.*\n```$/gm, "")
      const own = Object.keys(fields).filter((field) => field !== "_tag" && !momentFields.includes(field))
      for (const field of own) assert.include(section, `\`${field}\``, tag)
    }
    for (const { fields } of TracedMessage.members) {
      const tag = fields._tag.schema.literal
      const row = page.split("\n").find((line) => line.startsWith(`| \`${tag}\` |`))!
      for (const field of Object.keys(fields)) if (field !== "_tag") assert.include(row, `\`${field}\``, tag)
    }
  })
})
