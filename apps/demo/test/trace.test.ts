/** `serve --trace`: what a real node does is in its file, and its file is never in the way. */
import { describe, expect, it } from "@effect/vitest"
import * as TraceEvent from "@effect-raft/core/TraceEvent"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as NodeFs from "node:fs"
import * as NodePath from "node:path"
import * as TraceSink from "../src/trace/TraceSink.ts"
import { run, scenario } from "./Command.ts"
import * as Http from "./Http.ts"
import * as Serving from "./Serving.ts"

const alone = Effect.map(Serving.places(1), ([place]) => place!)

const traced = (place: Serving.Place, file: string): Serving.Place => ({
  ...place,
  flags: [...place.flags, "--trace", file]
})

/** Runs a node, puts a key, and stops it in an orderly way. */
const serveOnce = Effect.fnUntraced(function* (place: Serving.Place) {
  const running = yield* Serving.serve(place)
  const put = yield* Http.request("PUT", `${place.url}/kv/colour`, { body: "blue" })
  expect(put.status, put.text).toBe(200)
  running.kill("SIGTERM")
  expect(yield* running.ended).toBe(0)
}, Effect.scoped)

const linesOf = (file: string): ReadonlyArray<string> => {
  const lines = NodeFs.readFileSync(file, "utf8").split("\n")
  expect(lines.pop()).toBe("")
  return lines
}

const tagsOf = (events: ReadonlyArray<TraceEvent.TraceEvent>) => events.map(({ _tag }) => _tag)

describe("a node with --trace", () => {
  scenario("writes what it does, from its start to its end, and goes on in the same file", () =>
    Effect.gen(function* () {
      const place = yield* alone
      const file = NodePath.join(place.directory, "..", "trace.ndjson")
      yield* serveOnce(traced(place, file))
      const first = linesOf(file).map((line) => TraceEvent.fromLine(line))
      expect(first[0]).toMatchObject({ _tag: "Started", node: "n1", recovered: false, voters: ["n1"] })
      expect(first.at(-1)).toMatchObject({ _tag: "Stopped", reason: "ShuttingDown" })
      expect(new Set(tagsOf(first))).toEqual(
        new Set([
          "Started",
          "TimerFired",
          "RoleChanged",
          "HardStateChanged",
          "Durable",
          "Appended",
          "Committed",
          "Applied",
          "Proposed",
          // Before it ends it looks for somebody to hand over to; it is alone.
          "TransferRequested",
          "TransferRefused",
          "Stopped"
        ])
      )
      expect(first.filter((event, at) => event.timeMillis < (first[at - 1]?.timeMillis ?? 0))).toEqual([])

      // As a node leaves it that was killed while it wrote.
      NodeFs.appendFileSync(file, '{"_tag":"Sent","node"')
      yield* serveOnce(traced(place, file))
      const second = linesOf(file).slice(first.length + 1)
      expect(TraceEvent.fromLine(second[0]!)).toMatchObject({
        _tag: "Started",
        recovered: true,
        log: { first: 1 }
      })
      expect(tagsOf(second.map((line) => TraceEvent.fromLine(line))).at(-1)).toBe("Stopped")
    })
  )

  scenario("tells of a message in the words of the node that sent it", () =>
    Effect.gen(function* () {
      const places = yield* Serving.places(3)
      const fileOf = (place: Serving.Place) => NodePath.join(place.directory, "..", `${place.id}.ndjson`)
      const nodes = yield* Effect.forEach(places, (place) => Serving.serve(traced(place, fileOf(place))), {
        concurrency: "unbounded"
      })
      for (const place of places) {
        const put = yield* Http.request("PUT", `${place.url}/kv/${place.id}`, { body: "blue" })
        expect(put.status, put.text).toBe(200)
      }
      for (const node of nodes) node.kill("SIGTERM")
      expect(yield* Effect.forEach(nodes, (node) => node.ended)).toEqual([0, 0, 0])

      const events = places.flatMap((place) =>
        linesOf(fileOf(place)).map((line) => TraceEvent.fromLine(line))
      )
      const wordsOf = (from: string, to: string, message: object) =>
        `${from} ${to} ${JSON.stringify(message)}`
      const sent = new Set(
        events.flatMap((event) =>
          event._tag === "Sent" ? [wordsOf(event.node, event.to, event.message)] : []
        )
      )
      const received = events.flatMap((event) =>
        event._tag === "Received" ? [wordsOf(event.from, event.node, event.message)] : []
      )
      expect(received.filter((words) => !sent.has(words))).toEqual([])
      for (const tag of ["AppendEntries", "AppendAccepted", "ForwardProposals", "ForwardReply"]) {
        expect(
          received.some((words) => words.includes(`"${tag}"`)),
          tag
        ).toBe(true)
      }
    })
  )

  scenario("does not start when the file cannot be written, and says why", () =>
    Effect.gen(function* () {
      const place = yield* alone
      const file = NodePath.join(place.directory, "missing", "trace.ndjson")
      const ended = yield* run(["serve", ...traced(place, file).flags])
      expect(ended.stderr).toMatch(
        /^effect-raft: Cannot write the trace to .*trace.ndjson \(--trace\): its directory does not exist$/m
      )
      expect(ended.stderr).not.toMatch(/^\s+at /m)
      expect(ended.code).toBe(1)
    })
  )
})

const event = (at: number): TraceEvent.TraceEvent =>
  TraceEvent.fromLine(
    JSON.stringify({
      _tag: "PeerLost",
      node: "n1",
      timeMillis: at,
      term: 1,
      votedFor: null,
      role: "Follower",
      leader: null,
      commitIndex: 0,
      lastIndex: 0,
      voters: ["n1", "n2"],
      peer: "n2"
    })
  )

const timesOf = (text: string) =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => TraceEvent.fromLine(line))
    .map((read) => (read._tag === "Dropped" ? `${read.count} dropped` : read.timeMillis))

describe("a trace that cannot be written as fast as things happen", () => {
  it.effect("drops events, says how many and where, and writes the rest to the last one", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const gate = yield* Deferred.make<void>()
      let written = ""
      const write = (lines: string) =>
        Effect.andThen(
          Deferred.await(gate),
          Effect.sync(() => void (written += lines))
        )
      const sink = yield* Scope.provide(TraceSink.make(write, { maxWaitingEvents: 3 }), scope)
      for (let at = 1; at <= 3; at++) sink.emit(event(at))
      // The first three are taken to be written; the next three wait; there is no room for more.
      yield* Effect.yieldNow
      yield* Effect.yieldNow
      for (let at = 4; at <= 10; at++) sink.emit(event(at))
      yield* Deferred.succeed(gate, undefined)
      while (!written.includes('"timeMillis":6')) yield* Effect.yieldNow
      for (let at = 11; at <= 13; at++) sink.emit(event(at))
      yield* Scope.close(scope, Exit.void)
      expect(timesOf(written)).toEqual([1, 2, 3, 4, 5, 6, "4 dropped", 11, 12, "1 dropped"])
    })
  )

  it.effect("ends where the writer failed, and what comes after disturbs nobody", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      let attempts = 0
      const write = () => Effect.suspend(() => Effect.fail(new Error(`disk full, attempt ${++attempts}`)))
      const sink = yield* Scope.provide(TraceSink.make(write), scope)
      sink.emit(event(1))
      while (attempts === 0) yield* Effect.yieldNow
      for (let at = 2; at <= 10; at++) sink.emit(event(at))
      yield* Scope.close(scope, Exit.void)
      expect(attempts).toBe(1)
    })
  )
})
