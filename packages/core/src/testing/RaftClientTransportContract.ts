/**
 * What every `RaftClientTransport` promises, together with the listener at its other end, as a list of named
 * effects that any test runner can run. A case waits for what must happen and never for time to pass.
 *
 * ```ts
 * for (const { name, run } of RaftClientTransportContract.cases(mySite)) it.live(name, () => run)
 * ```
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import type { ClientEntrance, Visit } from "../ClientEntrance.ts"
import type { ClientAnswer, ClientRequest, Welcome } from "../ClientMessage.ts"
import { ClusterId, defaultGroup, GroupId, NodeId } from "../NodeId.ts"
import { NotLeader, OutcomeUnknown, Overloaded } from "../RaftError.ts"
import type { ConnectFailed, ConnectOptions, RaftClientTransport } from "../RaftClientTransport.ts"

/** The transport did not keep its promise. */
export class ContractViolation extends Schema.TaggedError<ContractViolation>()("ContractViolation", {
  detail: Schema.String
}) {
  override get message() {
    return `Broken client transport contract: ${this.detail}`
  }
}

/** A transport, and a listener that it reaches. */
export interface Site {
  readonly transport: RaftClientTransport["Service"]
  /** Opens a node to clients until the scope closes; answers with its address. */
  readonly listen: (entrance: ClientEntrance["Service"]) => Effect.Effect<string, never, Scope.Scope>
  /** An address at which nobody listens. */
  readonly nowhere: string
}

/** One promise. `run` fails, or dies, or never ends, where it is broken. */
export interface ContractCase {
  readonly name: string
  readonly run: Effect.Effect<void, ContractViolation | ConnectFailed>
}

/** Every case, each at a site of its own. */
export const cases = (site: Effect.Effect<Site, never, Scope.Scope>): ReadonlyArray<ContractCase> =>
  promises.map(({ name, promise }) => ({ name, run: site.pipe(Effect.flatMap(promise), Effect.scoped) }))

// --- both ends ----------------------------------------------------------------------------------------

const welcome: Welcome = {
  clusterId: ClusterId.make("contract"),
  groupId: defaultGroup,
  nodeId: NodeId.make("n1"),
  maxInFlight: 1000,
  leaderAt: "127.0.0.1:7202"
}

/** A node that keeps what is asked, and answers when it is told to. */
interface Desk {
  readonly address: string
  readonly request: Effect.Effect<ClientRequest>
  readonly answer: (answer: ClientAnswer) => void
  /** Waits until a visit has ended. */
  readonly ended: Effect.Effect<void>
  readonly visits: () => number
  readonly close: Effect.Effect<void>
}

const openDesk = Effect.fnUntraced(function* (site: Site) {
  const requests = yield* Queue.unbounded<ClientRequest>()
  const endings = yield* Queue.unbounded<void>()
  const answerers: Array<(answer: ClientAnswer) => void> = []
  const scope = yield* Scope.fork(yield* Effect.scope)
  const admit: ClientEntrance["Service"]["admit"] = ({ answer }) => {
    answerers.push(answer)
    const visit: Visit = {
      take: (batch) => void Queue.offerAllUnsafe(requests, batch),
      end: () => void Queue.offerUnsafe(endings, undefined)
    }
    return visit
  }
  const desk: Desk = {
    address: yield* Scope.provide(site.listen({ welcome: () => welcome, admit }), scope),
    request: Queue.take(requests),
    answer: (answer) => answerers.at(-1)?.(answer),
    ended: Queue.take(endings),
    visits: () => answerers.length,
    close: Scope.close(scope, Exit.void)
  }
  return desk
})

const connect = Effect.fnUntraced(function* (
  site: Site,
  address: string,
  options: Partial<ConnectOptions> = {}
) {
  const answers = yield* Queue.unbounded<ClientAnswer>()
  const losses = yield* Queue.unbounded<string>()
  const scope = yield* Scope.fork(yield* Effect.scope)
  const connecting = site.transport.connect({
    endpoint: address,
    clusterId: welcome.clusterId,
    groupId: welcome.groupId,
    handler: {
      onAnswers: (batch) => void Queue.offerAllUnsafe(answers, batch),
      onLost: (detail) => void Queue.offerUnsafe(losses, detail)
    },
    ...options
  })
  const connection = yield* Scope.provide(connecting, scope)
  return {
    ...connection,
    answer: Queue.take(answers),
    lost: Queue.take(losses),
    losses: () => Queue.sizeUnsafe(losses),
    close: Scope.close(scope, Exit.void)
  }
})

const expect = (holds: boolean, detail: string) =>
  holds ? Effect.void : Effect.fail(new ContractViolation({ detail }))

const expectSame = (found: unknown, wanted: unknown) =>
  expect(show(found) === show(wanted), `${show(found)} instead of ${show(wanted)}`)

const show = (value: unknown): string =>
  JSON.stringify(value, (_key, part: unknown) =>
    part instanceof Uint8Array ? { bytes: part.byteLength, sum: sumOf(part) } : part
  )

const sumOf = (bytes: Uint8Array): number => {
  let sum = 7
  for (const byte of bytes) sum = (Math.imul(sum, 31) + byte) | 0
  return sum
}

const bytes = (length: number, seed: number): Uint8Array => {
  const made = new Uint8Array(length)
  for (let at = 0; at < length; at++) made[at] = at * 7 + seed
  return made
}

const propose = (id: number, length = 8): ClientRequest => ({
  _tag: "Propose",
  id,
  command: bytes(length, id)
})

const done = (id: number, length = 8): ClientAnswer => ({ _tag: "Done", id, bytes: bytes(length, id) })

/** Long enough to write what was sent, too short for the other end to read it. */
const aMoment = Effect.promise(() => Promise.resolve())

// --- promises -----------------------------------------------------------------------------------------

interface Promised {
  readonly name: string
  readonly promise: (site: Site) => Effect.Effect<void, ContractViolation | ConnectFailed, Scope.Scope>
}

const promises: ReadonlyArray<Promised> = [
  {
    name: "the client hears what the node says of itself",
    promise: Effect.fnUntraced(function* (site) {
      const desk = yield* openDesk(site)
      const connection = yield* connect(site, desk.address)
      yield* expectSame(connection.welcome, welcome)
    })
  },
  {
    name: "requests and answers of every kind arrive unchanged",
    promise: Effect.fnUntraced(function* (site) {
      const desk = yield* openDesk(site)
      const connection = yield* connect(site, desk.address)
      const requests: ReadonlyArray<ClientRequest> = [
        propose(1),
        propose(2, 0),
        { _tag: "Query", id: 3, consistency: "linearizable", query: bytes(5, 3) },
        { _tag: "Query", id: 4, consistency: "stale", query: bytes(0, 4) },
        { _tag: "OpenSession", id: 5 },
        { _tag: "Session", id: 0xffffffff, record: bytes(70, 6) }
      ]
      for (const request of requests) connection.send(request)
      for (const request of requests) yield* expectSame(yield* desk.request, request)
      const answers: ReadonlyArray<ClientAnswer> = [
        done(1),
        done(2, 0),
        {
          _tag: "Failed",
          id: 3,
          reason: new NotLeader({ leader: NodeId.make("n2") }),
          leaderAt: "127.0.0.1:7202"
        },
        { _tag: "Failed", id: 4, reason: new Overloaded({ bound: "x", limit: 3 }), leaderAt: null },
        { _tag: "Failed", id: 5, reason: new OutcomeUnknown({ detail: "é" }), leaderAt: null }
      ]
      for (const answer of answers) desk.answer(answer)
      for (const answer of answers) yield* expectSame(yield* connection.answer, answer)
    })
  },
  {
    name: "thousands of requests and answers arrive in order and none is missing",
    promise: Effect.fnUntraced(function* (site) {
      const desk = yield* openDesk(site)
      const connection = yield* connect(site, desk.address)
      const sizeOf = (id: number) => (id * 7919) % 3000
      for (let id = 0; id < 1000; id++) connection.send(propose(id, sizeOf(id)))
      for (let id = 0; id < 1000; id++) {
        yield* expectSame(yield* desk.request, propose(id, sizeOf(id)))
        desk.answer(done(id, sizeOf(id)))
      }
      for (let id = 0; id < 1000; id++) yield* expectSame(yield* connection.answer, done(id, sizeOf(id)))
    })
  },
  {
    name: "a request and an answer of two megabytes arrive, and small ones after them",
    promise: Effect.fnUntraced(function* (site) {
      const desk = yield* openDesk(site)
      const connection = yield* connect(site, desk.address)
      const large = 2 * 1024 * 1024
      connection.send(propose(1, large))
      connection.send(propose(2))
      yield* expectSame(yield* desk.request, propose(1, large))
      yield* expectSame(yield* desk.request, propose(2))
      desk.answer(done(1, large))
      desk.answer(done(2))
      yield* expectSame(yield* connection.answer, done(1, large))
      yield* expectSame(yield* connection.answer, done(2))
    })
  },
  {
    name: "more than any buffer holds arrives unchanged, though nobody reads while it is sent",
    promise: Effect.fnUntraced(function* (site) {
      const desk = yield* openDesk(site)
      const connection = yield* connect(site, desk.address)
      const length = 200_000
      for (let id = 0; id < 60; id++) {
        connection.send(propose(id, length))
        yield* aMoment
      }
      for (let id = 0; id < 60; id++) yield* expectSame(yield* desk.request, propose(id, length))
      for (let id = 0; id < 60; id++) {
        desk.answer(done(id, length))
        yield* aMoment
      }
      for (let id = 0; id < 60; id++) yield* expectSame(yield* connection.answer, done(id, length))
    })
  },
  {
    name: "a client of another cluster or group is refused, and told why",
    promise: Effect.fnUntraced(function* (site) {
      const desk = yield* openDesk(site)
      const foreign = [{ clusterId: ClusterId.make("other") }, { groupId: GroupId.make("other") }]
      for (const options of foreign) {
        const error = yield* Effect.flip(Effect.scoped(connect(site, desk.address, options))).pipe(
          Effect.mapError(() => new ContractViolation({ detail: "a client of another cluster was let in" }))
        )
        yield* expect(error.isRefusal, `the refusal is not marked as one: ${error.message}`)
        yield* expect(
          error.detail.includes("other"),
          `the refusal does not name what was wanted: ${error.message}`
        )
      }
      yield* expect(desk.visits() === 0, "a client of another cluster was admitted")
    })
  },
  {
    name: "where nobody listens connecting fails, and is no refusal",
    promise: Effect.fnUntraced(function* (site) {
      const error = yield* Effect.flip(Effect.scoped(connect(site, site.nowhere))).pipe(
        Effect.mapError(() => new ContractViolation({ detail: "a connection with nobody" }))
      )
      yield* expect(!error.isRefusal && error.endpoint === site.nowhere, error.message)
    })
  },
  {
    name: "a client that closes ends its visit, and hears nothing any more",
    promise: Effect.fnUntraced(function* (site) {
      const desk = yield* openDesk(site)
      const connection = yield* connect(site, desk.address)
      connection.send(propose(1))
      yield* desk.request
      yield* connection.close
      yield* desk.ended
      desk.answer(done(1))
      yield* expect(!connection.send(propose(2)), "a closed connection took a request")
      yield* expect(connection.losses() === 0, "a client was told of the end that it made itself")
    })
  },
  {
    name: "a node that closes is a loss, told once",
    promise: Effect.fnUntraced(function* (site) {
      const desk = yield* openDesk(site)
      const connection = yield* connect(site, desk.address)
      connection.send(propose(1))
      yield* desk.request
      yield* desk.close
      yield* connection.lost
      yield* desk.ended
      yield* expect(!connection.send(propose(2)), "a lost connection took a request")
      yield* expect(connection.losses() === 0, "the loss was told twice")
    })
  },
  {
    name: "two clients do not hear each other's answers",
    promise: Effect.fnUntraced(function* (site) {
      const desk = yield* openDesk(site)
      const one = yield* connect(site, desk.address)
      const other = yield* connect(site, desk.address)
      one.send(propose(1))
      yield* desk.request
      // The last to be admitted is the one who is answered.
      desk.answer(done(7))
      yield* expectSame(yield* other.answer, done(7))
      other.send(propose(2))
      yield* expectSame(yield* desk.request, propose(2))
      yield* expect(one.losses() === 0, "a connection was lost")
    })
  }
]
