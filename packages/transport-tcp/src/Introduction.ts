/**
 * The handshake on a wire, from either end: who speaks when, and what is wrong with what comes back.
 * The frames and the judgement are in `Handshake`.
 */
import * as Effect from "effect/Effect"
import { FrameReader, MalformedFrame } from "./FrameReader.ts"
import { FrameWriter } from "./FrameWriter.ts"
import * as Handshake from "./Handshake.ts"
import { Distrusted, NotAPeer, Refused } from "./PeerError.ts"
import type { ConnectionLost } from "./PeerError.ts"
import { clientHello } from "./SecureSocket.ts"
import * as Versions from "./Versions.ts"
import type { Wire } from "./Wire.ts"

/** A wire on which both ends know each other, with what has arrived beyond the handshake. */
export interface Introduced {
  readonly wire: Wire
  readonly reader: FrameReader
  /** The version of the protocol in which both ends go on. */
  readonly version: number
}

/**
 * The dialler's part: says hello and waits for the answer, the peer's attributes. Before that it looks at
 * what the other end has proved, and does not tell anything about itself to the wrong one.
 */
export const call: (
  wire: Wire,
  hello: Handshake.Hello,
  ours: Versions.Versions
) => Effect.Effect<
  Introduced & { readonly attributes: Handshake.Attributes },
  NotAPeer | Refused | Distrusted | ConnectionLost
> = Effect.fnUntraced(function* (wire, hello, ours) {
  const doubt = wire.proof.distrust ?? wire.proof.refutes(hello.to)
  if (doubt !== undefined) return yield* turnAway(wire, hello, ours, doubt)
  const reader = new FrameReader(Handshake.maxHandshakeBytes)
  yield* say(wire, ours, (writer) => Handshake.encodeHello(writer, hello))
  const theirs = yield* readPreamble(wire, ours, reader)
  const answer = yield* readFrame(wire, reader, Handshake.decodeAnswer)
  if (answer._tag === "Refuse") return yield* new Refused({ detail: answer.reason })
  const version = Versions.common(ours, theirs)
  if (version === undefined) return yield* new Refused({ detail: Handshake.versionRefusal(ours, theirs) })
  return { wire, reader, version, attributes: answer.attributes }
})

/** The dialler says goodbye instead of hello, so that the other end's log has the reason as well. */
const turnAway = Effect.fnUntraced(function* (
  wire: Wire,
  { from, to }: Handshake.Hello,
  ours: Versions.Versions,
  doubt: string
) {
  const words = `node ${from} called node ${to} and does not trust who answered: ${doubt}`
  yield* say(wire, ours, (writer) => Handshake.encodeRefuse(writer, words))
  yield* wire.finish
  return yield* new Distrusted({ detail: doubt })
})

/** The listener's first part: waits for the hello, and holds it against what the caller has proved. */
export const listen: (
  wire: Wire,
  ours: Versions.Versions
) => Effect.Effect<Introduced & { readonly hello: Handshake.Hello }, NotAPeer | Refused | ConnectionLost> =
  Effect.fnUntraced(function* (wire, ours) {
    const reader = new FrameReader(Handshake.maxHandshakeBytes)
    const theirs = yield* readPreamble(wire, ours, reader)
    if (wire.proof.distrust !== undefined)
      return yield* refuse(wire, ours, `the caller is not trusted: ${wire.proof.distrust}`)
    const version = Versions.common(ours, theirs)
    if (version === undefined) return yield* refuse(wire, ours, Handshake.versionRefusal(ours, theirs))
    const greeting = yield* readFrame(wire, reader, Handshake.decodeGreeting)
    if (greeting._tag === "Refuse") return yield* new Refused({ detail: greeting.reason })
    const refutation = wire.proof.refutes(greeting.hello.from)
    if (refutation !== undefined) {
      return yield* refuse(
        wire,
        ours,
        `the caller says that it is node ${greeting.hello.from}, but ${refutation}`
      )
    }
    return { wire, reader, version, hello: greeting.hello }
  })

/** The listener lets the caller in. */
export const accept = (
  wire: Wire,
  ours: Versions.Versions,
  attributes: Handshake.Attributes
): Effect.Effect<void, ConnectionLost> =>
  say(wire, ours, (writer) => Handshake.encodeAccept(writer, attributes))

/** The listener sends the caller away, and fails with the reason. */
export const refuse = (
  wire: Wire,
  ours: Versions.Versions,
  detail: string
): Effect.Effect<never, Refused | ConnectionLost> =>
  Effect.andThen(
    say(wire, ours, (writer) => Handshake.encodeRefuse(writer, detail)),
    Effect.fail(new Refused({ detail }))
  )

const say = (wire: Wire, ours: Versions.Versions, encode: (writer: FrameWriter) => void) =>
  Effect.suspend(() => {
    const writer = new FrameWriter()
    writer.raw(Handshake.preamble(ours))
    encode(writer)
    return wire.write(writer.take())
  })

const tlsRefusal =
  "the caller speaks TLS, and this end plain text only; give this end a certificate too, or take the caller's away"

const readPreamble = Effect.fnUntraced(function* (wire: Wire, ours: Versions.Versions, reader: FrameReader) {
  while (true) {
    if (reader.peek()[0] === clientHello) return yield* refuse(wire, ours, tlsRefusal)
    if (!Handshake.maybePreamble(reader.peek())) {
      const beginning = Handshake.printable(Buffer.from(reader.peek().subarray(0, 24)).toString("latin1"))
      return yield* new NotAPeer({
        detail: `it does not speak the peer protocol: its first bytes are "${beginning}"`
      })
    }
    const bytes = reader.takeRaw(Handshake.preambleBytes)
    if (bytes !== undefined) return Handshake.versionsOf(bytes)
    yield* receive(wire, reader)
  }
})

const readFrame = Effect.fnUntraced(function* <A>(
  wire: Wire,
  reader: FrameReader,
  decode: (reader: FrameReader) => A
) {
  while (true) {
    const frame = yield* Effect.suspend(() => attempt(reader, decode))
    if (frame !== undefined) return frame
    yield* receive(wire, reader)
  }
})

const attempt = <A>(
  reader: FrameReader,
  decode: (reader: FrameReader) => A
): Effect.Effect<A | undefined, NotAPeer> => {
  try {
    return Effect.succeed(reader.next() ? decode(reader) : undefined)
  } catch (error) {
    if (error instanceof MalformedFrame)
      return Effect.fail(new NotAPeer({ detail: `it sent ${error.detail}` }))
    throw error
  }
}

const receive = (wire: Wire, reader: FrameReader) =>
  Effect.map(wire.pull, (chunks) => {
    for (const chunk of chunks) reader.feed(chunk)
  })
