/**
 * A node of a Maelstrom test: it reads messages from standard input, and what they ask for goes to the
 * replicated store, to the peers' transport, or back with an error. It says nothing on standard output
 * but messages, and ends when standard input does.
 *
 * The node begins with `init`, which names it and its peers; what others say before is refused. Lines are
 * taken in order, and `init` is done before the next one is looked at; requests of clients wait for their
 * answers beside each other, at most {@link maxRequests} at a time.
 */
import type { Consistency } from "@effect-raft/core/Raft"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { fail } from "../ExitCode.ts"
import type { CommandFailed } from "../ExitCode.ts"
import * as ErrorCode from "./ErrorCode.ts"
import * as Lines from "./Lines.ts"
import * as Member from "./Member.ts"
import * as Message from "./Message.ts"
import * as Outgoing from "./Outgoing.ts"

export interface NodeOptions {
  /** Below it every node keeps its own directory; in memory if there is none. */
  readonly directory: string | undefined
  readonly consistency: Consistency
  readonly electionTimeoutMillis: number
  readonly heartbeatIntervalMillis: number
  readonly requestTimeoutMillis: number
}

/** The longest line that is read. A Raft message takes at most 2 MiB, as the bounds of `RaftConfig` are. */
export const maxLineLength = 8 * 1024 * 1024

/** Requests of clients that wait at the same time; what comes beyond is refused. */
const maxRequests = 4096

/** How long requests may take to end, once standard input has ended. */
const lastRequestsMillis = 2_000

/** Runs the node until standard input ends, or until it fails. */
export const run = Effect.fnUntraced(function* (options: NodeOptions) {
  const stdio = yield* Stdio.Stdio
  const outgoing = yield* Outgoing.make
  const requests = yield* FiberSet.make<void>()
  const stopped = yield* Deferred.make<never, CommandFailed>()
  let member: Member.Member | undefined

  // ------------------------------------------------------------------------------------------------
  // Answers
  // ------------------------------------------------------------------------------------------------

  /** Answers a message, if it can be answered, and complains of it if not. */
  const reply = (message: Message.Envelope, answer: Message.Reply): Effect.Effect<void> => {
    const inReplyTo = Message.messageId(message.body)
    if (inReplyTo === undefined) {
      return answer.type === "error" ? complain(answer.text, message) : Effect.void
    }
    const body = { ...answer, in_reply_to: inReplyTo }
    return outgoing.send({ src: member?.nodeId ?? message.dest, dest: message.src, body })
      ? Effect.void
      : complain("standard output is not read; the answer is dropped", message)
  }

  const refuse = (message: Message.Envelope, code: number, text: string) =>
    reply(message, Message.error(code, text))

  // ------------------------------------------------------------------------------------------------
  // Messages
  // ------------------------------------------------------------------------------------------------

  const initialise = Effect.fnUntraced(function* (message: Message.Envelope) {
    const init = decodeInit(message.body)
    if (Result.isFailure(init)) {
      return yield* refuse(message, ErrorCode.malformedRequest, init.failure.message)
    }
    if (member !== undefined && !Member.isCalled(member, init.success)) {
      return yield* refuse(message, ErrorCode.abort, `this node is ${member.nodeId} already`)
    }
    if (member === undefined) {
      const started = yield* Member.make({ ...options, init: init.success, send: outgoing.send }).pipe(
        Effect.tapError((error) => refuse(message, ErrorCode.abort, error.message)),
        Effect.mapError((error) => fail(error.message))
      )
      member = started
      yield* Effect.forkScoped(
        Effect.catch(started.failure, (error) => Deferred.fail(stopped, fail(error.message)))
      )
    }
    yield* reply(message, { type: "init_ok" })
  })

  const take = (message: Message.Envelope) => {
    const type = message.body["type"]
    if (type === "init") return initialise(message)
    if (member === undefined) {
      return refuse(message, ErrorCode.temporarilyUnavailable, "the node waits for init")
    }
    if (message.dest !== member.nodeId) return complain(`this node is ${member.nodeId}`, message)
    if (type === Message.peerType) {
      const problem = member.receive(message.src, message.body)
      return problem === undefined ? Effect.void : complain(problem, message)
    }
    return typeof type === "string" && requestTypes.has(type)
      ? takeRequest(member, message)
      : refuse(message, ErrorCode.notSupported, `a message of the type ${JSON.stringify(type)} is not known`)
  }

  const takeRequest = Effect.fnUntraced(function* ({ store }: Member.Member, message: Message.Envelope) {
    const request = decodeRequest(message.body)
    if (Result.isFailure(request)) {
      return yield* refuse(message, ErrorCode.malformedRequest, request.failure.message)
    }
    if (Message.messageId(message.body) === undefined) {
      return yield* complain("a request without msg_id cannot be answered", message)
    }
    if ((yield* FiberSet.size(requests)) >= maxRequests) {
      const text = `${maxRequests} requests are waiting; try again later`
      return yield* refuse(message, ErrorCode.temporarilyUnavailable, text)
    }
    const answered = Effect.flatMap(store.answer(request.success), (answer) => reply(message, answer))
    yield* FiberSet.run(requests, answered)
  })

  const takeLine = (line: Lines.Line) => {
    if (line === undefined)
      return Effect.logWarning(`A line of more than ${maxLineLength} characters is dropped`)
    if (line.trim() === "") return Effect.void
    const message = decodeLine(line)
    return Result.isSuccess(message)
      ? take(message.success)
      : Effect.logWarning(`Not a message: ${message.failure.message}: ${excerpt(line)}`)
  }

  // ------------------------------------------------------------------------------------------------
  // From the first line to the last
  // ------------------------------------------------------------------------------------------------

  yield* stdio.stdin.pipe(
    Stream.decodeText,
    Lines.split(maxLineLength),
    Stream.runForEach(takeLine),
    Effect.raceFirst(Deferred.await(stopped)),
    Effect.raceFirst(outgoing.failure),
    Effect.catchTag("PlatformError", (error) => Effect.fail(fail(error.message)))
  )
  yield* Effect.timeoutOption(FiberSet.awaitEmpty(requests), lastRequestsMillis)
}, Effect.scoped)

const decodeLine = Schema.decodeResult(Schema.fromJsonString(Message.Envelope))
const decodeInit = Schema.decodeUnknownResult(Message.Init)
const decodeRequest = Schema.decodeUnknownResult(Message.Request)
const requestTypes: ReadonlySet<string> = new Set(["read", "write", "cas"])

const complain = (problem: string, message: Message.Envelope): Effect.Effect<void> =>
  Effect.logWarning(`From ${message.src}: ${problem}: ${excerpt(String(message.body["type"]))}`)

const excerptLength = 200

const excerpt = (text: string): string =>
  text.length > excerptLength ? `${text.slice(0, excerptLength)}…` : text
