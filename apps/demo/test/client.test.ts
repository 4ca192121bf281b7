/** `put`, `get`, `delete`, `cas` and `status` against a node: bytes in, bytes out, and exit codes. */
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { scenario } from "./Command.ts"
import * as InProcess from "./InProcess.ts"
import * as Serving from "./Serving.ts"

const bytes = Uint8Array.from({ length: 256 }, (_, at) => at)

describe("the commands of a client", () => {
  scenario("do what they say and tell by their exit code", () =>
    Effect.gen(function* () {
      const [place] = yield* Serving.places(1)
      yield* Serving.serve(place!)
      const client = (args: ReadonlyArray<string>, stdin?: Uint8Array) =>
        InProcess.run([...args, "--endpoint", place!.url], stdin)

      const put = yield* client(["put", "a key/with?signs", "-"], bytes)
      expect(put.said).toEqual([expect.stringMatching(/^revision \d+$/)])
      const got = yield* client(["get", "a key/with?signs"])
      expect(got.bytes).toEqual(Buffer.from(bytes))
      expect(got.said).toEqual([])
      const stale = yield* client(["get", "a key/with?signs", "--consistency", "stale"])
      expect(stale.bytes).toEqual(Buffer.from(bytes))

      const [revision] = (yield* client(["get", "a key/with?signs", "--revision"])).said
      const swapped = yield* client(["cas", "a key/with?signs", "--revision", String(revision), "new"])
      expect(swapped.code).toBe(0)
      const again = yield* client(["cas", "a key/with?signs", "--revision", String(revision), "newer"])
      expect(again.code).toBe(1)
      expect(again.complained[0]).toContain(`nothing was written: a key/with?signs has revision`)
      expect((yield* client(["get", "a key/with?signs"])).bytes.toString()).toBe("new")

      expect((yield* client(["cas", "fresh", "1", "--absent"])).code).toBe(0)
      expect((yield* client(["cas", "fresh", "2", "--absent"])).code).toBe(1)

      expect((yield* client(["delete", "fresh"])).said).toEqual(["deleted"])
      const gone = yield* client(["get", "fresh"])
      expect([gone.code, gone.bytes.length, gone.complained]).toEqual([
        1,
        0,
        ["effect-raft: fresh has no value"]
      ])
      expect((yield* client(["delete", "fresh"])).code).toBe(1)
      expect((yield* client(["put", "k".repeat(1_025), "v"])).code).toBe(2)
    })
  )

  scenario("ask the next endpoint when one is gone, and say when all are", () =>
    Effect.gen(function* () {
      const [place, gone] = yield* Serving.places(2).pipe(
        Effect.map(([, absent]) => absent!),
        Effect.flatMap((absent) => Effect.map(Serving.places(1), ([present]) => [present!, absent] as const))
      )
      yield* Serving.serve(place)
      const both = ["--endpoint", `${gone.url},${place.url}`]
      expect((yield* InProcess.run(["put", "k", "v", ...both])).code).toBe(0)

      const status = yield* InProcess.run(["status", ...both])
      expect(status.code).toBe(0)
      expect(String(status.said[0]).split("\n")).toEqual([
        expect.stringMatching(/^ENDPOINT +NODE +MEMBER +ROLE +TERM +LEADER +COMMIT +APPLIED +LAST$/),
        expect.stringMatching(new RegExp(`^${gone.url} +no answer$`)),
        expect.stringMatching(new RegExp(`^${place.url} +n1 +voter +Leader +1 +n1 +\\d+ +\\d+ +\\d+$`))
      ])
      const json = JSON.parse(
        String((yield* InProcess.run(["status", "--json", ...both])).said[0])
      ) as unknown
      expect(json).toMatchObject([
        { endpoint: gone.url, status: null },
        { endpoint: place.url, status: { node: "n1", role: "Leader" } }
      ])
      const nobody = yield* InProcess.run(["status", "--endpoint", gone.url])
      expect([nobody.code, nobody.complained]).toEqual([
        3,
        [
          expect.stringMatching(`^effect-raft: ${gone.url} does not answer: .*ECONNREFUSED`),
          "effect-raft: no node answers"
        ]
      ])
      const write = yield* InProcess.run(["put", "k", "v", "--endpoint", gone.url, "--timeout", "50"])
      expect([write.code, write.complained]).toEqual([
        3,
        [expect.stringMatching(new RegExp(`^effect-raft: .*50 ms.*${gone.url}: connect ECONNREFUSED`))]
      ])
    })
  )
})
