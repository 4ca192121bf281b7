/**
 * Messages on their way out of a turn: those that promise nothing go at once, those that promise something
 * wait here until it is durable (paper, figure 2: "updated on stable storage before responding").
 */
import type { Action, SendWhenDurable } from "../consensus/Action.ts"
import type { NodeId } from "../NodeId.ts"
import type { RaftMessage } from "../RaftMessage.ts"

export class Outbox {
  private readonly send: (to: NodeId, message: RaftMessage) => void
  private heldBack: Array<SendWhenDurable> = []

  constructor(send: (to: NodeId, message: RaftMessage) => void) {
    this.send = send
  }

  /** What a turn says, and what was waiting for the tickets up to `persisted`. */
  release(actions: ReadonlyArray<Action>, persisted: number): void {
    for (const action of actions) {
      if (action._tag === "SendNow") this.send(action.to, action.message)
      else if (action._tag === "SendWhenDurable") this.holdBack(action)
    }
    if (this.heldBack.length > 0) this.releaseUpTo(persisted)
  }

  private releaseUpTo(persisted: number): void {
    const { heldBack } = this
    // Mostly all of them wait for the same write.
    if (heldBack.every(({ ticket }) => ticket > persisted)) return
    this.heldBack = heldBack.filter(({ ticket }) => ticket > persisted)
    for (const { message, ticket, to } of heldBack) if (ticket <= persisted) this.send(to, message)
  }

  /** While a disk hangs, heartbeats ask for the same acknowledgement again and again: once is enough. */
  private holdBack(action: SendWhenDurable): void {
    const last = this.heldBack.at(-1)
    const isRepeated =
      last?.to === action.to && last.ticket === action.ticket && last.message._tag === action.message._tag
    if (isRepeated) this.heldBack.pop()
    this.heldBack.push(action)
  }
}
