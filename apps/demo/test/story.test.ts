/** `effect-raft demo` without a terminal: the story, and what it does with standard input. */
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { run, scenario, temporaryDirectory } from "./Command.ts"

describe("the story", () => {
  scenario("with empty input writes a list of its own and ends well", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* run(["demo"])
      expect(stdout).toMatch(/5 keys of the built-in list/)
      expect(stdout).toMatch(
        /elect +(n\d) leads in term \d+[^]*kill +\1, the leader[^]*\1 was killed by SIGKILL/
      )
      expect(stdout.match(/read +5 of 5 from n\d are as written/g)).toHaveLength(3)
      expect(stdout.trimEnd()).toMatch(/everything held$/)
      expect(code).toBe(0)
    })
  )

  scenario("writes and reads back exactly the keys it is given", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* run(["demo"], "a=1\nb=2\n")
      expect(stdout).toMatch(/write +2 keys from standard input/)
      expect(stdout).toMatch(/a = "1", revision \d+\n.*b = "2", revision \d+\n/)
      expect(stdout.match(/read +2 of 2 from n\d are as written/g)).toHaveLength(3)
      expect(stdout.trimEnd()).toMatch(/everything held$/)
      expect(code).toBe(0)
    })
  )

  scenario("refuses a line that is not key=value before it starts anything", () =>
    Effect.gen(function* () {
      const { code, stdout, stderr } = yield* run(["demo"], "a=1\nnonsense\n")
      expect(stderr).toBe('effect-raft: Line 2 of standard input is not key=value: "nonsense"\n')
      expect(stdout).toBe("")
      expect(code).toBe(2)
    })
  )

  scenario("that does not hold says so, and where the logs are", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* temporaryDirectory
      yield* fs.writeFileString(`${directory}/n2`, "where a directory should be")
      const { code, stdout, stderr } = yield* run(["demo", "--directory", directory])
      expect(stdout).toMatch(/DID NOT HOLD: Node n2 did not start: exited with code 2: .*--directory/)
      expect(stdout).not.toContain("everything held")
      expect(stderr).toMatch(/this did not hold:\n +Node n2 did not start/)
      expect(stderr).toContain(`${directory}/*.log`)
      expect(code).toBe(1)
    })
  )
})
