/**
 * A Maelstrom node inside the test's process: its standard input is a queue, its standard output a list
 * of lines.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import type * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Sink from "effect/Sink"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import * as Cli from "../../src/Cli.ts"
import * as Commands from "../../src/Commands.ts"
import * as ExitCode from "../../src/ExitCode.ts"
import type { Body, Envelope } from "../../src/maelstrom/Message.ts"

export interface InMemory {
  /** Writes a text to the node's standard input, as it is. */
  readonly write: (text: string) => void
  /** Sends a body from a client and waits for the answer to it. */
  readonly ask: (body: Body) => Effect.Effect<Body>
  /** Every line so far. */
  readonly lines: ReadonlyArray<string>
  /** Ends standard input; the exit code. */
  readonly end: Effect.Effect<number>
  /** The exit code, when the node ends by itself. */
  readonly ended: Effect.Effect<number>
}

/** Starts `effect-raft maelstrom` with these flags; it ends with the scope. */
export const start = Effect.fnUntraced(function* (flags: ReadonlyArray<string>) {
  const input = yield* Queue.unbounded<Uint8Array, Cause.Done>()
  const lines: Array<string> = []
  const waiting = new Map<unknown, Deferred.Deferred<Body>>()
  let messageId = 0

  const onLine = (line: string) => {
    lines.push(line)
    const { body } = JSON.parse(line) as Envelope
    const answer = waiting.get(body["in_reply_to"])
    if (answer !== undefined) Deferred.doneUnsafe(answer, Effect.succeed(body))
  }

  const stdio = Stdio.layerTest({
    stdin: Stream.fromQueue(input),
    stdout: () =>
      Sink.forEach((chunk) =>
        Effect.sync(() => {
          for (const line of String(chunk).split("\n").slice(0, -1)) onLine(line)
        })
      )
  })

  const node = yield* Effect.exit(Cli.run(Commands.load, ["maelstrom", ...flags])).pipe(
    Effect.provide(Layer.provideMerge(stdio, NodeServices.layer)),
    Effect.map(ExitCode.codeOf),
    Effect.forkScoped
  )

  const write = (text: string) => void Queue.offerUnsafe(input, new TextEncoder().encode(text))

  return {
    write,
    ask: (body) =>
      Effect.suspend(() => {
        const id = ++messageId
        const answer = Deferred.makeUnsafe<Body>()
        waiting.set(id, answer)
        write(`${JSON.stringify({ src: "c1", dest: "n1", body: { ...body, msg_id: id } })}\n`)
        return Deferred.await(answer)
      }),
    lines,
    end: Effect.andThen(Queue.end(input), Fiber.join(node)),
    ended: Fiber.join(node)
  } satisfies InMemory
})

/** The flags of a node that is alone and need not wait for anybody. */
export const hasty = ["--election-timeout", "20", "--heartbeat", "10"]

export const initAlone = { type: "init", node_id: "n1", node_ids: ["n1"] }
