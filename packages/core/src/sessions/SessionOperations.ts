/**
 * What a session's client asks of the group, one call at a time: a node's handle offers it
 * (`raft.sessions`), and so may a client that speaks to many nodes. `Session.open` makes a session of it
 * that numbers commands, tries again what is not known, and keeps itself alive.
 */
import type * as Effect from "effect/Effect"
import type { LogIndex } from "../LogIndex.ts"
import type { RaftError } from "../RaftError.ts"
import type { SessionId, SessionLimits } from "../SessionId.ts"
import type { Term } from "../Term.ts"

/** A session that was opened. */
export interface Opened {
  readonly session: SessionId
  readonly limits: SessionLimits
}

/** A command with its number. */
export interface Request<Command> {
  readonly session: SessionId
  /** The client's number for the command. The same for every try of it, and for no other command. */
  readonly sequence: number
  /**
   * The client waits for no command with a smaller number, and will not send one again. Their answers are
   * dropped, and a late copy of one of them is not applied.
   */
  readonly acknowledgedBelow: number
  readonly command: Command
}

/** The machine's answer, and where the command stood in the log when it was applied. */
export interface Applied<Reply> {
  readonly index: LogIndex
  readonly term: Term
  readonly reply: Reply
}

export interface SessionOperations<Command, Reply> {
  /**
   * Opens a session, which its client must close, or let expire by saying nothing. Fails with `Overloaded`
   * where there are `maxSessions` of them. An opening whose answer is lost leaves a session that expires.
   */
  readonly open: Effect.Effect<Opened, RaftError>

  /**
   * Applies a command once, however often it is sent, and gives the same answer each time. Fails with
   * `SessionExpired`, with `Overloaded` where the client has too many answers unacknowledged, and with
   * whatever a proposal may fail with. `error.outcome` speaks of this call: where an earlier try ended in
   * "unknown", and this one fails, it stays unknown.
   */
  readonly propose: (request: Request<Command>) => Effect.Effect<Applied<Reply>, RaftError>

  /** Tells that the client is there, and what it has acknowledged. */
  readonly keepAlive: (
    request: Pick<Request<Command>, "session" | "acknowledgedBelow">
  ) => Effect.Effect<void, RaftError>

  /** Ends a session and frees what is kept for it. */
  readonly close: (session: SessionId) => Effect.Effect<void, RaftError>
}
