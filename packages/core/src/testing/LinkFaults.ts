/**
 * What can befall a message on one link, and the dice that decide it.
 *
 * The dice are thrown anew for every message, from the seed of the network, the name of the link and the
 * number of the message on it. Nothing else goes in, so that a trace can be had again from its seed.
 */
import type { RaftMessage } from "../RaftMessage.ts"

/** How a link treats messages. Probabilities are between 0 and 1. */
export interface LinkSettings {
  /** How long a request is under way, in milliseconds: at least and at most. */
  readonly requestDelayMillis: readonly [least: number, most: number]
  readonly replyDelayMillis: readonly [least: number, most: number]
  /** Probability that a request is lost. */
  readonly requestLoss: number
  readonly replyLoss: number
  /** Probability that a message arrives twice, each time with a delay of its own. */
  readonly duplication: number
  /** Probability that a request is held back for `heldMillis` on top of its delay. */
  readonly heldRequests: number
  /** The same for a reply. */
  readonly heldReplies: number
  readonly heldMillis: readonly [least: number, most: number]
  /** No message overtakes another: delays lengthen, as on a TCP connection, instead of reordering. */
  readonly inOrder: boolean
  /**
   * How many bytes the link carries in a second, one message after the other; a message arrives when all of it
   * has, and waits for those before it. Any number where it is not said.
   */
  readonly bytesPerSecond?: number
}

/** No delay, no loss. */
export const reliable: LinkSettings = {
  requestDelayMillis: [0, 0],
  replyDelayMillis: [0, 0],
  requestLoss: 0,
  replyLoss: 0,
  duplication: 0,
  heldRequests: 0,
  heldReplies: 0,
  heldMillis: [200, 2200],
  inOrder: false
}

/** The 6.5840 labs' unreliable network: requests late by up to 26 ms, a tenth of all messages lost. */
export const unreliable: LinkSettings = {
  ...reliable,
  requestDelayMillis: [0, 26],
  requestLoss: 0.1,
  replyLoss: 0.1
}

/** The labs' long reordering, which they put on top of the unreliable network. */
export const longReordering: LinkSettings = { ...unreliable, heldReplies: 2 / 3 }

/** Whether a message answers another one, and so gets a reply's share of trouble. */
export const isReply = (tag: RaftMessage["_tag"]): boolean =>
  tag === "AppendAccepted" || tag === "AppendRejected" || tag === "StaleTerm" || tag.endsWith("Reply")

/** A 32-bit hash of a text (FNV-1a). */
export const hashText = (text: string): number => {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash >>> 0
}

/** A small generator (mulberry32), set anew for every message. */
export class Dice {
  private state = 0

  /** Begins the throws of message `number` on the link that `linkSeed` stands for. */
  reset(linkSeed: number, number: number): void {
    this.state = (linkSeed + Math.imul(number, 0x9e3779b1)) | 0
    this.next()
  }

  /** A number from 0 to just below 1. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }

  happens(probability: number): boolean {
    return probability > 0 && this.next() < probability
  }

  /** A whole number of the range, both ends included. */
  within([least, most]: readonly [number, number]): number {
    return least >= most ? least : least + Math.floor(this.next() * (most - least + 1))
  }
}

/** What {@link drawDelay} says of a message that does not arrive. */
export const lost = -1

/** Draws whether a message arrives and after how many milliseconds; {@link lost} if it does not. */
export const drawDelay = (dice: Dice, settings: LinkSettings, reply: boolean): number => {
  if (dice.happens(reply ? settings.replyLoss : settings.requestLoss)) return lost
  const delayMillis = dice.within(reply ? settings.replyDelayMillis : settings.requestDelayMillis)
  return dice.happens(reply ? settings.heldReplies : settings.heldRequests)
    ? delayMillis + dice.within(settings.heldMillis)
    : delayMillis
}
