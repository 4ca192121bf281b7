/**
 * An open socket, reduced to what a link does with it.
 *
 * While the two ends introduce themselves they take turns, and each waits for the other's words: `pull` and
 * `write`. After that bytes flow: they are handed over as they come and written as they are there, in callbacks,
 * because a fiber that is woken for each read and each write costs more than either.
 *
 * Where we dialled without TLS all bytes arrive in one buffer, which whoever takes them copies from. Elsewhere Node makes
 * a buffer for each read, and memory that is touched for the first time is the dearest part of a large transfer
 * (docs/decisions/0050).
 *
 * A server's socket closes politely, when what was written has been taken. A peer that is stopped never takes
 * it, so a wire can also be destroyed, and an established one always ends that way; what is lost with it Raft
 * sends again.
 */
import * as NodeSocket from "@effect/platform-node-shared/NodeSocket"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import type * as Address from "./Address.ts"
import * as Certificate from "./Certificate.ts"
import { ConnectionLost, DialFailed } from "./PeerError.ts"
import * as SecureSocket from "./SecureSocket.ts"
import * as Security from "./Security.ts"

export interface Wire {
  /** The other end, for a log. */
  readonly remote: Address.HostPort
  /** What the other end has proved of itself; to be looked at before it is believed anything. */
  readonly proof: Certificate.Proof
  /** Waits for bytes, before they flow. A chunk is never written again. */
  readonly pull: Effect.Effect<ReadonlyArray<Uint8Array>, ConnectionLost>
  /** Writes ranges in one go, before bytes flow; waits until they are on their way. */
  readonly write: (ranges: ReadonlyArray<Uint8Array>) => Effect.Effect<void, ConnectionLost>
  /** Lets bytes flow from now on. To be called once. */
  readonly flow: (receiver: Receiver) => Sender
  /** Writes nothing more, and waits until what was written is on its way. */
  readonly finish: Effect.Effect<void>
  /** Closes at once; what was not sent yet is lost. */
  readonly destroy: Effect.Effect<void>
}

/** Who takes what flows in. Nothing is called any more after `onLost`. */
export interface Receiver {
  /** A chunk is never written again. */
  readonly onBytes: (chunk: Uint8Array) => void
  /** A chunk in whose place the next bytes arrive: nobody may look into it after the call. */
  readonly onLent: (chunk: Uint8Array) => void
  /** The peer has caught up with what was sent. */
  readonly onDrained: () => void
  readonly onLost: (lost: ConnectionLost) => void
}

/**
 * What became of ranges that were sent: the system has taken all, and the ranges may be written again; it will; or
 * the peer is behind, and no more is to be sent until it has caught up.
 */
export type Sent = "Taken" | "Waiting" | "Behind"

/** Sends ranges in one go. */
export type Sender = (ranges: ReadonlyArray<Uint8Array>) => Sent

/** Dials `target`. The wire is destroyed when the scope closes. */
export const dial: (
  target: Address.HostPort,
  options: { readonly security: Security.Security; readonly timeoutMillis: number }
) => Effect.Effect<Wire, DialFailed | ConnectionLost, Scope.Scope> = Effect.fnUntraced(function* (
  target,
  { security, timeoutMillis }
) {
  const refusal = Security.refusalOf(security, target.host)
  if (refusal !== undefined) return yield* dialFailed(refusal)
  const connected = yield* connect(target, security).pipe(
    Effect.timeoutOrElse({
      duration: timeoutMillis,
      orElse: () => dialFailed(`no answer within ${timeoutMillis} ms`)
    }),
    Effect.mapError(
      (error) =>
        new DialFailed({ nobodyListens: error.nobodyListens, detail: `cannot reach it: ${error.detail}` })
    )
  )
  return make(connected, target)
})

/** A socket, and where its bytes arrive if that is always the same place. */
interface Open extends SecureSocket.Examined {
  readonly inlet?: Inlet
}

/** Bytes arrive here, once somebody takes them. A socket that is paused gets none. */
interface Inlet {
  take: (lent: Uint8Array) => void
}

/** The system gives as much as this at once, if it has as much. */
const readBytes = 128 * 1024

const connect = (
  target: Address.HostPort,
  security: Security.Security
): Effect.Effect<Open, DialFailed, Scope.Scope> =>
  security._tag === "Tls" ? SecureSocket.dial(target, security.credentials) : connectPlain(target)

const connectPlain = Effect.fnUntraced(function* (target: Address.HostPort) {
  const inlet: Inlet = { take: () => {} }
  const onread: Net.OnReadOpts = {
    buffer: Buffer.allocUnsafeSlow(readBytes),
    callback: (bytes, buffer) => {
      inlet.take(buffer.subarray(0, bytes))
      return true
    }
  }
  const socket = yield* Effect.acquireRelease(
    Effect.sync(() => Net.connect({ ...target, noDelay: true, onread }).pause()),
    (socket) => Effect.sync(() => socket.destroy())
  )
  yield* SecureSocket.connected(socket, "connect")
  return { socket, inlet, proof: Certificate.nothingAsked }
})

const dialFailed = (detail: string) => Effect.fail(new DialFailed({ detail, nobodyListens: false }))

/** Takes over the socket of the connection that is being handled. It is closed politely when the scope closes. */
export const accept: (security: Security.Security) => Effect.Effect<Wire, ConnectionLost, Scope.Scope> =
  Effect.fnUntraced(function* (security) {
    const raw = yield* rawOf
    const remote = remoteOf(raw)
    if (security._tag === "Plain") {
      yield* Effect.addFinalizer(() => Effect.sync(() => raw.destroySoon()))
      return make({ socket: raw, proof: Certificate.nothingAsked }, remote)
    }
    return make(yield* SecureSocket.accept(raw, security.credentials), remote)
  })

/** The socket below; whoever handles a connection of a Node server is given it. */
const rawOf = Effect.map(Effect.serviceOption(NodeSocket.NetSocket), Option.getOrThrow)

/** Who is at the other end of the connection that is being handled. */
export const remote: Effect.Effect<Address.HostPort> = Effect.map(rawOf, (raw) => remoteOf(raw))

/** Ends the connection that is being handled, without a word. */
export const hangUp: Effect.Effect<void> = Effect.map(rawOf, (raw) => void raw.destroy())

const remoteOf = ({ remoteAddress, remotePort }: Net.Socket): Address.HostPort => ({
  host: remoteAddress ?? "unknown",
  port: remotePort ?? 0
})

const make = ({ inlet, proof, socket }: Open, remote: Address.HostPort): Wire => {
  let receiver: Receiver | undefined
  let lost: ConnectionLost | undefined
  /** What arrived before bytes flow, and who waits for it. */
  let arrived: Array<Uint8Array> = []
  let wake: (() => void) | undefined

  const lose = (detail: string): void => {
    if (lost !== undefined) return
    lost = new ConnectionLost({ detail })
    receiver?.onLost(lost)
    wake?.()
  }

  // One chunk at a time: whoever is not known yet does not fill the memory.
  socket.pause()
  const hold = (chunk: Uint8Array): void => {
    arrived.push(chunk)
    socket.pause()
    wake?.()
  }
  const take = (chunk: Uint8Array): void => {
    if (lost === undefined) return receiver === undefined ? hold(chunk) : receiver.onBytes(chunk)
  }
  const takeLent = (chunk: Uint8Array): void => {
    if (lost === undefined)
      return receiver === undefined ? hold(new Uint8Array(chunk)) : receiver.onLent(chunk)
  }
  if (inlet === undefined) socket.on("data", take)
  else inlet.take = takeLent
  socket.on("drain", () => {
    if (lost === undefined) receiver?.onDrained()
  })
  socket.on("end", () => lose(closedByPeer))
  socket.on("error", (error) => lose(error.message))
  socket.on("close", () => lose(closedByPeer))
  if (socket.destroyed) lose(closedByPeer)

  const takeArrived = (): ReadonlyArray<Uint8Array> => {
    const taken = arrived
    arrived = []
    return taken
  }

  return {
    remote,
    proof,
    pull: Effect.callback((resume) => {
      const look = () => {
        if (arrived.length === 0 && lost === undefined) return false
        // First of all: who is resumed may pull again before this returns.
        wake = undefined
        resume(arrived.length > 0 || lost === undefined ? Effect.succeed(takeArrived()) : Effect.fail(lost))
        return true
      }
      if (look()) return
      wake = look
      socket.resume()
      return Effect.sync(() => {
        wake = undefined
      })
    }),
    write: (ranges) =>
      Effect.callback((resume) => {
        if (lost !== undefined) return resume(Effect.fail(lost))
        socket.write(Buffer.concat(ranges), (error) =>
          resume(error ? Effect.fail(new ConnectionLost({ detail: error.message })) : Effect.void)
        )
      }),
    flow: (to) => {
      const lostBefore = lost
      receiver = to
      for (const chunk of takeArrived()) to.onBytes(chunk)
      if (lostBefore === undefined) socket.resume()
      else to.onLost(lostBefore)
      return (ranges) => send(socket, ranges)
    },
    finish: Effect.callback<void>((resume) => {
      socket.once("close", () => resume(Effect.void))
      socket.end(() => resume(Effect.void))
    }),
    destroy: Effect.sync(() => {
      lose("it was closed here")
      socket.destroy()
    })
  }
}

const closedByPeer = "the peer closed the connection"

const send = (socket: Net.Socket, ranges: ReadonlyArray<Uint8Array>): Sent => {
  if (ranges.length === 1) {
    socket.write(ranges[0]!)
  } else {
    socket.cork()
    for (const range of ranges) socket.write(range)
    socket.uncork()
  }
  if (socket.writableLength === 0) return "Taken"
  return socket.writableNeedDrain ? "Behind" : "Waiting"
}
