/**
 * Which links of a Markdown text are checked.
 */
import { assert, describe, it } from "@effect/vitest"
import { relativeLinks } from "../links/relativeLinks.ts"
import { testLinks } from "../links/testLinks.ts"

describe("relativeLinks", () => {
  it("finds paths, without their anchors", () => {
    assert.deepEqual(relativeLinks("[a](docs/a.md) and ![b](b.png), [c](../c.ts#L3)"), [
      "docs/a.md",
      "b.png",
      "../c.ts"
    ])
  })

  it("finds a link whose text is code", () => {
    assert.deepEqual(relativeLinks("[`step`](consensus/Transition.ts)"), ["consensus/Transition.ts"])
  })

  it("leaves out URLs, anchors and code", () => {
    const text = "[a](https://effect.website) [b](#words) `[c](c.md)`\n```\n[d](d.md)\n```\n"
    assert.deepEqual(relativeLinks(text), [])
  })
})

describe("testLinks", () => {
  it("finds tests that are named, and no link to a file as a whole", () => {
    const text =
      "[B15: a power failure](../test/crash.test.ts), [crash.test.ts](../test/crash.test.ts), [a b](c.md)"
    assert.deepEqual(testLinks(text), [{ words: "B15: a power failure", target: "../test/crash.test.ts" }])
  })
})
