/**
 * Two peers ask each other for something at the same moment.
 *
 * The notes: a goroutine that holds the node's mutex while it waits for an RPC deadlocks the cluster. Each
 * peer's handler needs the mutex that the peer's own caller holds. Rule 4: never hold a lock across a wait.
 *
 * Here: the state belongs to an actor, and the actor waits for its mailbox and for nothing else. A request to
 * a peer is made by a fiber beside it, which posts the answer back as one more message. So a peer that waits
 * for an answer still gives answers. `holdingLocks` shows the Go mistake; `actors` shows the cure.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { runAlone } from "./runAlone.ts"

const networkDelay = Effect.sleep("10 millis")

/** Neither call comes back: each waits for a lock that the other holds. */
export const holdingLocks = Effect.gen(function* () {
  const lockA = yield* Semaphore.make(1)
  const lockB = yield* Semaphore.make(1)
  const call = (own: Semaphore.Semaphore, other: Semaphore.Semaphore) =>
    own.withPermit(Effect.andThen(networkDelay, other.withPermit(Effect.succeed("answered"))))
  return yield* Effect.all([call(lockA, lockB), call(lockB, lockA)], { concurrency: "unbounded" })
}).pipe(Effect.timeoutOrElse({ duration: "1 second", orElse: () => Effect.succeed("deadlock" as const) }))

type Message =
  | { readonly _tag: "Ask"; readonly peer: Peer; readonly done: Deferred.Deferred<string> }
  | { readonly _tag: "Request"; readonly answer: Deferred.Deferred<string> }
  | { readonly _tag: "Answered"; readonly text: string; readonly done: Deferred.Deferred<string> }

interface Peer {
  readonly name: string
  readonly mailbox: Queue.Queue<Message>
}

/** Waits where waiting harms nobody: outside the actor, in a fiber of its own. */
const request = Effect.fnUntraced(function* (
  self: Peer,
  message: { readonly peer: Peer; readonly done: Deferred.Deferred<string> }
) {
  const answer = yield* Deferred.make<string>()
  yield* networkDelay
  yield* Queue.offer(message.peer.mailbox, { _tag: "Request", answer })
  const text = yield* Deferred.await(answer)
  yield* Queue.offer(self.mailbox, { _tag: "Answered", text, done: message.done })
})

/** One turn. Nothing in it waits. */
const turn = (self: Peer, message: Message): Effect.Effect<unknown, never, Scope.Scope> => {
  switch (message._tag) {
    case "Ask":
      return Effect.forkScoped(request(self, message))
    case "Request":
      return Deferred.succeed(message.answer, `${self.name} says yes`)
    case "Answered":
      return Deferred.succeed(message.done, message.text)
  }
}

const startPeer = Effect.fnUntraced(function* (name: string) {
  const self: Peer = { name, mailbox: yield* Queue.bounded<Message>(16) }
  yield* Queue.take(self.mailbox).pipe(
    Effect.flatMap((message) => turn(self, message)),
    Effect.forever,
    Effect.forkScoped
  )
  return self
})

const ask = Effect.fnUntraced(function* (from: Peer, peer: Peer) {
  const done = yield* Deferred.make<string>()
  yield* Queue.offer(from.mailbox, { _tag: "Ask", peer, done })
  return yield* Deferred.await(done)
})

/** Both get their answer. */
export const actors = Effect.gen(function* () {
  const a = yield* startPeer("a")
  const b = yield* startPeer("b")
  return yield* Effect.all([ask(a, b), ask(b, a)], { concurrency: "unbounded" })
}).pipe(Effect.scoped)

runAlone(import.meta, Effect.all({ holdingLocks, actors }))
