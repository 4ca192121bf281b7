/**
 * The node's port to its clients: what a listener needs, whatever it listens on.
 *
 * The listener owns the connections and their bytes. For each it asks to be admitted, hands over the
 * requests as they come, a batch at a time, and is called back with the answers.
 */
import * as Context from "effect/Context"
import type { ClientAnswer, ClientRequest, Welcome } from "./ClientMessage.ts"

/** One client's connection, as the node sees it. */
export interface Visit {
  /**
   * Takes requests and returns at once; each of them is answered exactly once, unless the visit ends
   * before. Their bytes may be views of a buffer that is never written again.
   */
  readonly take: (requests: ReadonlyArray<ClientRequest>) => void
  /** The connection is gone: nobody wants the answers any more. */
  readonly end: () => void
}

export interface VisitOptions {
  /** Called for every answer, possibly before `take` has returned. Must be quick and must not throw. */
  readonly answer: (answer: ClientAnswer) => void
}

export class ClientEntrance extends Context.Service<
  ClientEntrance,
  {
    /** Who is here, and who leads, as of now. */
    readonly welcome: () => Welcome
    readonly admit: (options: VisitOptions) => Visit
  }
>()("@effect-raft/core/ClientEntrance") {}
