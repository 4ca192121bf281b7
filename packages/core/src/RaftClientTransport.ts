/**
 * The client's port to the nodes.
 *
 * A connection carries requests one way and answers the other, in batches: what is sent within one turn
 * of the event loop may leave in one write. It makes no promise beyond that. When it breaks, what was not
 * answered is in doubt, and the client above decides what that means.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { ClientAnswer, ClientRequest, Welcome } from "./ClientMessage.ts"
import type { ClusterId, GroupId } from "./NodeId.ts"

/** No connection came about. Nothing was sent. */
export class ConnectFailed extends Schema.TaggedError<ConnectFailed>()("ConnectFailed", {
  endpoint: Schema.String,
  detail: Schema.String,
  /** The node is there and does not want this client; asking again will not help. */
  isRefusal: Schema.Boolean
}) {
  override get message() {
    return this.isRefusal
      ? `${this.endpoint} refuses this client: ${this.detail}`
      : `No connection with ${this.endpoint}: ${this.detail}`
  }
}

/** What the client does with what comes. Both functions are synchronous, quick and never throw. */
export interface ConnectionHandler {
  /** Answers arrived. Their bytes may be views of a buffer; that buffer is never written again. */
  readonly onAnswers: (answers: ReadonlyArray<ClientAnswer>) => void
  /** The connection broke, for the reason told. Called at most once, and nothing is called after it. */
  readonly onLost: (detail: string) => void
}

/** Where to connect, and to what. */
export interface ConnectOptions {
  /** A node's address for clients, in the words of the transport ("127.0.0.1:7201"). */
  readonly endpoint: string
  readonly clusterId: ClusterId
  readonly groupId: GroupId
  readonly handler: ConnectionHandler
}

export interface ClientConnection {
  readonly welcome: Welcome
  /** Queues a request and returns at once. `false` when it surely will not leave. */
  readonly send: (request: ClientRequest) => boolean
}

export class RaftClientTransport extends Context.Service<
  RaftClientTransport,
  {
    /** Why this text is no endpoint of this transport; `undefined` where it is one. */
    readonly problemWith: (endpoint: string) => string | undefined
    /** Connects; the connection is closed with the scope, and its handler is not called after that. */
    readonly connect: (options: ConnectOptions) => Effect.Effect<ClientConnection, ConnectFailed, Scope.Scope>
  }
>()("@effect-raft/core/RaftClientTransport") {}
