/**
 * Why there is no connection with a peer, or no longer. None of these reaches the user of the transport:
 * they are logged, once per distinct reason, and the link tries again.
 */
import * as Schema from "effect/Schema"

/** Nobody could be reached at the peer's address. */
export class DialFailed extends Schema.TaggedError<DialFailed>()("DialFailed", {
  detail: Schema.String,
  /** The host is there and says that nobody listens: the peer's process is gone. */
  nobodyListens: Schema.Boolean
}) {
  override get message() {
    return this.detail
  }
}

/** The other end does not speak this protocol: a port scan, a browser, another program's port. */
export class NotAPeer extends Schema.TaggedError<NotAPeer>()("NotAPeer", { detail: Schema.String }) {
  override get message() {
    return this.detail
  }
}

/** One of the two ends does not want the other: another cluster, another name, another version. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", { detail: Schema.String }) {
  override get message() {
    return this.detail
  }
}

/** This end does not believe the other end's certificate. */
export class Distrusted extends Schema.TaggedError<Distrusted>()("Distrusted", { detail: Schema.String }) {
  override get message() {
    return this.detail
  }
}

/** A connection ended. */
export class ConnectionLost extends Schema.TaggedError<ConnectionLost>()("ConnectionLost", {
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

/** The listener is there before its node, as when a node starts. The caller hears nothing and tries again. */
export class NotOpenYet extends Schema.TaggedError<NotOpenYet>()("NotOpenYet", {}) {
  override get message() {
    return "no node is open at this address yet"
  }
}

export type PeerError = DialFailed | NotAPeer | Refused | Distrusted | ConnectionLost | NotOpenYet
