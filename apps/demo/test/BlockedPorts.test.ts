/** The ports that nobody's browser opens are those that this machine's own `fetch` does not dial. */
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as BlockedPorts from "../src/BlockedPorts.ts"

const allPorts = Array.from({ length: 65_536 }, (_, port) => port)

/** What `fetch` says of a port; it says so before it dials. */
const refusalOf = (port: number) =>
  Effect.promise(() =>
    fetch(`http://127.0.0.1:${port}`).then(
      () => "answered",
      (error: Error) => String(error.cause)
    )
  )

it.live("are refused by fetch", () =>
  Effect.gen(function* () {
    const blocked = allPorts.filter(BlockedPorts.isBlocked)
    expect(blocked).toContain(6_000)
    const refusals = yield* Effect.forEach(blocked, refusalOf, { concurrency: 8 })
    expect(new Set(refusals)).toEqual(new Set(["Error: bad port"]))
  })
)
