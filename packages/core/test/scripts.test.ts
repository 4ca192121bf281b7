/**
 * Plays every script in `scripts/` and compares its trace. `UPDATE=1` writes the traces that came out back
 * into the scripts instead; read the difference before you commit it.
 */
import { readFileSync, readdirSync, writeFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import * as Script from "./scripts/Script.ts"

const folder = new URL("./scripts/", import.meta.url)
const scripts = readdirSync(folder).filter((file) => file.endsWith(".txt"))
const isUpdate = process.env["UPDATE"] === "1"

describe("scripts", () => {
  it.each(scripts)("%s", (file) => {
    const path = new URL(file, folder)
    const written = readFileSync(path, "utf8")
    const played = Script.run(written)
    if (isUpdate) writeFileSync(path, played)
    expect(played).toBe(isUpdate ? played : written)
  })

  it("a command that does not exist is a mistake in the script", () => {
    expect(() => Script.run("> cluster of 3\n> n1 dances")).toThrow(`"n1 dances" is no command`)
  })
})
