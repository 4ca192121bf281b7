/**
 * Clients and nodes in one process.
 *
 * A node is opened under an address; a client of the same transport that connects to it talks to its
 * entrance. Requests and answers cross in batches, by a fiber for each direction, so that neither side
 * runs inside the other. A test can cut the connections of an address, with what is on its way.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type { ClientEntrance } from "./ClientEntrance.ts"
import { refusalOf } from "./ClientMessage.ts"
import type { ClientAnswer, ClientRequest } from "./ClientMessage.ts"
import { ConnectFailed, RaftClientTransport } from "./RaftClientTransport.ts"
import type { ClientConnection, ConnectOptions } from "./RaftClientTransport.ts"

/** The hall in which clients and nodes meet. */
export interface MemoryClientTransport {
  readonly transport: RaftClientTransport["Service"]
  /** Opens a node to clients at `address`, until the scope closes. */
  readonly listen: (
    address: string,
    entrance: ClientEntrance["Service"]
  ) => Effect.Effect<void, never, Scope.Scope>
  /** Breaks every connection with `address` now; what was on its way is lost. Tells how many there were. */
  readonly cut: (address: string) => number
  /** Connections that stand now. */
  readonly connections: () => number
}

interface Strand {
  readonly address: string
  readonly lose: (detail: string) => void
}

export const make: Effect.Effect<MemoryClientTransport> = Effect.sync(() => {
  const entrances = new Map<string, ClientEntrance["Service"]>()
  const strands = new Set<Strand>()

  const cut = (address: string): number => {
    const broken = Array.from(strands).filter((strand) => strand.address === address)
    for (const strand of broken) strand.lose("it was cut")
    return broken.length
  }

  const listen: MemoryClientTransport["listen"] = (address, entrance) =>
    Effect.asVoid(
      Effect.acquireRelease(
        Effect.sync(() => entrances.set(address, entrance)),
        () =>
          Effect.sync(() => {
            if (entrances.get(address) === entrance) entrances.delete(address)
            cut(address)
          })
      )
    )

  const connect = (options: ConnectOptions): Effect.Effect<ClientConnection, ConnectFailed, Scope.Scope> =>
    Effect.gen(function* () {
      const { endpoint, handler } = options
      const refuse = (detail: string, isRefusal: boolean) =>
        new ConnectFailed({ endpoint, detail, isRefusal })
      const entrance = entrances.get(endpoint)
      if (entrance === undefined) return yield* refuse("nobody listens there", false)
      const welcome = entrance.welcome()
      const refusal = refusalOf(options, welcome)
      if (refusal !== undefined) return yield* refuse(refusal, true)
      const requests = yield* Queue.unbounded<ClientRequest>() // bounded by `maxInFlight` of the welcome
      const answers = yield* Queue.unbounded<ClientAnswer>()
      let isOpen = true
      const visit = entrance.admit({
        answer: (answer) => void (isOpen && Queue.offerUnsafe(answers, answer))
      })
      const close = () => {
        isOpen = false
        strands.delete(strand)
        visit.end()
      }
      const strand: Strand = {
        address: endpoint,
        lose: (detail) => {
          close()
          handler.onLost(detail)
        }
      }
      strands.add(strand)
      yield* Effect.addFinalizer(() => Effect.sync(() => isOpen && close()))
      yield* carry(requests, (batch) => isOpen && visit.take(batch))
      yield* carry(answers, (batch) => isOpen && handler.onAnswers(batch))
      return { welcome, send: (request) => isOpen && Queue.offerUnsafe(requests, request) }
    })

  return {
    transport: RaftClientTransport.of({ problemWith: () => undefined, connect }),
    listen,
    cut,
    connections: () => strands.size
  }
})

const carry = <A>(queue: Queue.Queue<A>, deliver: (batch: ReadonlyArray<A>) => unknown) =>
  Queue.takeAll(queue).pipe(
    Effect.map(deliver),
    Effect.forever,
    Effect.annotateLogs({ fiber: "memory client connection" }),
    Effect.forkScoped
  )

/** The hall as a service, for tests that need more than the transport. */
export class MemoryClients extends Context.Service<MemoryClients, MemoryClientTransport>()(
  "@effect-raft/core/MemoryClientTransport"
) {}

/** The transport, and the hall it belongs to. */
export const layer: Layer.Layer<MemoryClients | RaftClientTransport> = Layer.effectContext(
  Effect.map(make, (hall) =>
    Context.make(MemoryClients, hall).pipe(Context.add(RaftClientTransport, hall.transport))
  )
)
