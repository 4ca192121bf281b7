/**
 * What Maelstrom is to its nodes: it starts them, names them, carries every message, late or not at all,
 * and speaks for the clients.
 *
 * The seed decides which messages are lost and how long the others take. It does not decide how fast the
 * processes are, so a run cannot be repeated exactly, only its kind.
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import type { Body, Envelope } from "../../src/maelstrom/Message.ts"
import * as NodeProcess from "./NodeProcess.ts"

export interface Faults {
  /** Every message takes a time drawn from [0, d). */
  readonly maxDelayMillis: number
  /** The share of messages between nodes that are lost. */
  readonly peerLoss: number
  /** The share of messages from and to clients that are lost. */
  readonly clientLoss: number
}

export interface Network {
  readonly nodeIds: NonEmptyReadonlyArray<string>
  /** Starts a node, for the first time or again, and waits until it has answered `init`. */
  readonly boot: (nodeId: string) => Effect.Effect<void>
  /** Kills a node without warning. */
  readonly kill: (nodeId: string) => Effect.Effect<void>
  /** Sends a request and waits for its answer; not for long, as a client that waits asks nothing else. */
  readonly ask: (dest: string, body: Body) => Effect.Effect<Body, "TimedOut">
  /** The node that was last seen to append with the highest term. */
  readonly leader: () => string | undefined
  /** Ends the standard input of every node; their exit codes. */
  readonly end: Effect.Effect<ReadonlyArray<number | string>>
  /** Lines on standard output that are no messages of their node. */
  readonly strays: ReadonlyArray<string>
}

const clientTimeoutMillis = 700

export const make = Effect.fnUntraced(function* (options: {
  readonly nodeIds: NonEmptyReadonlyArray<string>
  readonly flags: ReadonlyArray<string>
  readonly faults: Faults
}) {
  const { nodeIds, faults } = options
  const scope = yield* Effect.scope
  const random = yield* Random.Random
  const nodes = new Map<string, NodeProcess.NodeProcess>()
  const waiting = new Map<number, Deferred.Deferred<Body>>()
  const onTheWay = new Set<NodeJS.Timeout>()
  const strays: Array<string> = []
  let messageId = 0
  let reign = { term: 0, leader: undefined as string | undefined }

  yield* Effect.addFinalizer(() => Effect.sync(() => onTheWay.forEach(clearTimeout)))

  const carry = (message: Envelope) => {
    const ofPeers = nodeIds.includes(message.src) && nodeIds.includes(message.dest)
    if (ofPeers) watch(message)
    if (random.nextDoubleUnsafe() < (ofPeers ? faults.peerLoss : faults.clientLoss)) return
    const timer = setTimeout(() => {
      onTheWay.delete(timer)
      deliver(message)
    }, random.nextDoubleUnsafe() * faults.maxDelayMillis)
    onTheWay.add(timer)
  }

  const deliver = (message: Envelope) => {
    if (nodeIds.includes(message.dest)) return nodes.get(message.dest)?.write(JSON.stringify(message))
    const answer = waiting.get(Number(message.body["in_reply_to"]))
    if (answer !== undefined) Deferred.doneUnsafe(answer, Effect.succeed(message.body))
  }

  const watch = ({ src, body }: Envelope) => {
    const { _tag, term } = body["message"] as { readonly _tag: string; readonly term: number }
    if (_tag === "AppendEntries" && term >= reign.term) reign = { term, leader: src }
  }

  const onLine = (nodeId: string) => (line: string) => {
    const message = parse(line)
    if (message?.src === nodeId) carry(message)
    else strays.push(`${nodeId}: ${line}`)
  }

  const exchange = (send: (message: Envelope) => void, dest: string, body: Body) =>
    Effect.suspend(() => {
      const id = ++messageId
      const answer = Deferred.makeUnsafe<Body>()
      waiting.set(id, answer)
      send({ src: `c${id}`, dest, body: { ...body, msg_id: id } })
      return Effect.ensuring(
        Deferred.await(answer),
        Effect.sync(() => waiting.delete(id))
      )
    })

  const boot = Effect.fnUntraced(function* (nodeId: string) {
    const node = yield* NodeProcess.start({ flags: options.flags, onLine: onLine(nodeId) })
    nodes.set(nodeId, node)
    // What is said at the beginning is not lost, or the test would not begin.
    const init = { type: "init", node_id: nodeId, node_ids: nodeIds }
    yield* Effect.repeat(Effect.timeoutOption(exchange(deliver, nodeId, init), 5_000), {
      until: (answer) => answer._tag === "Some" && answer.value["type"] === "init_ok"
    })
  })

  const network: Network = {
    nodeIds,
    boot: (nodeId) => Effect.provideService(boot(nodeId), Scope.Scope, scope),
    kill: (nodeId) =>
      Effect.suspend(() => {
        const node = nodes.get(nodeId)
        nodes.delete(nodeId)
        node?.kill()
        return Effect.asVoid(node?.ended ?? Effect.void)
      }),
    ask: (dest, body) =>
      Effect.timeoutOrElse(exchange(carry, dest, body), {
        duration: clientTimeoutMillis,
        orElse: () => Effect.fail("TimedOut" as const)
      }),
    leader: () => reign.leader,
    end: Effect.suspend(() => {
      for (const node of nodes.values()) node.end()
      return Effect.forEach([...nodes.values()], (node) => node.ended)
    }),
    strays
  }
  return network
})

const parse = (line: string): Envelope | undefined => {
  try {
    return JSON.parse(line) as Envelope
  } catch {
    return undefined
  }
}
