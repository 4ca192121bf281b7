/**
 * Memory keeps every promise of a client transport.
 */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as MemoryClientTransport from "../../src/MemoryClientTransport.ts"
import * as RaftClientTransportContract from "../../src/testing/RaftClientTransportContract.ts"

describe("MemoryClientTransport", () => {
  const site = Effect.map(
    MemoryClientTransport.make,
    ({ listen, transport }): RaftClientTransportContract.Site => ({
      transport,
      listen: (entrance) => Effect.as(listen("here", entrance), "here"),
      nowhere: "nowhere"
    })
  )
  for (const { name, run } of RaftClientTransportContract.cases(site)) it.live(name, () => run)
})
