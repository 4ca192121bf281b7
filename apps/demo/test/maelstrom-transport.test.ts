/**
 * Raft messages as Maelstrom's lines keep what every transport promises, as far as a network without
 * connections can: nobody is told of a lost peer, nor of attributes, and there is one cluster.
 */
import { describe, expect, it } from "@effect/vitest"
import { ClusterId, defaultGroup, NodeId } from "@effect-raft/core/NodeId"
import type { RaftMessage } from "@effect-raft/core/RaftMessage"
import * as RaftTransportContract from "@effect-raft/core/testing/RaftTransportContract"
import * as Effect from "effect/Effect"
import * as MaelstromTransport from "../src/maelstrom/MaelstromTransport.ts"
import type { Envelope } from "../src/maelstrom/Message.ts"

/** What the contract asks of connections. */
const connected = [
  "a peer that does not list this node is reached, and can answer",
  "a closed node neither sends nor hears, and its peers are told",
  "peers are told that they are connected, also when one of them has closed and opened again",
  "a peer that closed and opened again is reached again",
  "peers learn each other's attributes",
  "nodes of another cluster or group are not reached"
]

/** Every line is heard by everybody, and taken by those whom it is for. */
const network = Effect.sync(() => {
  const sites: Array<MaelstromTransport.MaelstromTransport> = []
  const names = ["a", "b", "c"]
  return Effect.sync(() => {
    const name = names[sites.length] ?? ""
    const site = MaelstromTransport.make((message) => {
      const { src, dest, body } = JSON.parse(JSON.stringify(message)) as Envelope
      sites[names.indexOf(dest)]?.receive(src, body)
      return true
    })
    sites.push(site)
    return { transport: site.transport, address: name }
  })
})

const contract = RaftTransportContract.cases(network)

describe("the transport contract", () => {
  it("has the cases that need a connection", () => {
    expect(contract.map(({ name }) => name)).toEqual(expect.arrayContaining(connected))
  })

  for (const { name, run } of contract) if (!connected.includes(name)) it.effect(name, () => run)
})

describe("a body that no peer of ours has sent", () => {
  const n1 = NodeId.make("n1")

  const listening = Effect.gen(function* () {
    const heard: Array<RaftMessage> = []
    const site = MaelstromTransport.make(() => true)
    yield* site.transport.open({
      clusterId: ClusterId.make("maelstrom"),
      groupId: defaultGroup,
      nodeId: n1,
      peers: new Map([n1, NodeId.make("n2")].map((id) => [id, id])),
      handler: { onMessage: (_, message) => void heard.push(message), onPeerLost: () => undefined }
    })
    return { heard, receive: (from: string, message: unknown) => site.receive(from, { message }) }
  })

  const append = (prevLogIndex: number, blocks: ReadonlyArray<unknown>) => ({
    _tag: "AppendEntries",
    term: 1,
    prevLogIndex,
    prevLogTerm: 0,
    leaderCommit: 0,
    round: 0,
    blocks
  })
  /** An empty entry of term 1. */
  const bytes = Buffer.from("0000000000000000000000000000f03f0000000000000000", "hex").toString("base64")

  it.effect("is refused, and says why", () =>
    Effect.gen(function* () {
      const { heard, receive } = yield* listening
      expect(receive("n3", append(0, []))).toBe("n3 is not a peer")
      expect(receive("n1", append(0, []))).toBe("n1 is not a peer")
      expect(receive("n2", undefined)).toBeTypeOf("string")
      expect(receive("n2", { ...append(0, []), term: -1 })).toContain("term")
      expect(receive("n2", append(0, [{ firstIndex: 1, bytes: "AAAA" }]))).toContain(
        "entry header is cut off"
      )
      expect(receive("n2", append(0, [{ firstIndex: 1, bytes: "?" }]))).toContain("bytes")
      expect(receive("n2", append(1, [{ firstIndex: 1, bytes }]))).toContain("where 2 is next")
      expect(heard).toEqual([])
      expect(
        receive(
          "n2",
          append(0, [
            { firstIndex: 1, bytes },
            { firstIndex: 2, bytes }
          ])
        )
      ).toBeUndefined()
      expect(heard).toHaveLength(1)
    })
  )

  it.effect("is passed over where no node is open", () =>
    Effect.sync(() => {
      expect(MaelstromTransport.make(() => true).receive("n2", {})).toBeUndefined()
    })
  )
})
