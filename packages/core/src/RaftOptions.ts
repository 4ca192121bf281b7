/**
 * What a program says of a node that it starts, and what is wrong with it. Options are checked as a whole
 * before anything is opened: a mistake in them leaves no trace.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { none, ofVoters } from "./Membership.ts"
import type { Membership, PeerAddress } from "./Membership.ts"
import { ClusterId, GroupId, NodeId } from "./NodeId.ts"
import { RaftConfig } from "./RaftConfig.ts"
import type * as RaftNode from "./RaftNode.ts"

/** What `Raft.layer` needs to know of a node. */
export interface Options {
  /** Must be one of `members`, unless the node is to join. */
  readonly nodeId: string
  /**
   * The voters with which the cluster begins, by name, with the address at which its peers reach each. The
   * same on every node. Once the membership has been changed the log says who belongs, and this is ignored.
   */
  readonly members?: Readonly<Record<string, PeerAddress>>
  /**
   * Instead of `members`: this node belongs to no cluster yet. It waits until the leader of one, where it
   * was added by `changeMembership`, sends it the log; until then it serves nobody and never campaigns.
   */
  readonly join?: boolean
  /** Nodes of different clusters refuse each other. "effect-raft" by default. */
  readonly clusterId?: string
  /** For several groups on one transport. "default" by default. */
  readonly groupId?: string
  readonly config?: (typeof RaftConfig)["~type.make.in"]
  /** Facts about this node that its peers may want to know, such as the URL of its HTTP API. */
  readonly attributes?: Readonly<Record<string, string>>
}

/** The options of a node do not fit together. Nothing was started. */
export class InvalidOptions extends Schema.TaggedError<InvalidOptions>()("InvalidOptions", {
  option: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `${this.option}: ${this.detail}`
  }
}

/** The options in the form in which the node takes them: every id is one, every number within its bounds. */
export type Checked = Omit<RaftNode.Options<never, never, never>, "machine">

/** Checks everything, so that nothing is started on options that do not fit together. */
export const check = (options: Options): Effect.Effect<Checked, InvalidOptions> =>
  Effect.gen(function* () {
    const nodeId = yield* decode("nodeId", NodeId, options.nodeId)
    const config = yield* Effect.mapError(
      RaftConfig.makeEffect(options.config ?? {}),
      (issue) => new InvalidOptions({ option: "config", detail: new Schema.SchemaError(issue).message })
    )
    return {
      nodeId,
      clusterId: yield* decode("clusterId", ClusterId, options.clusterId ?? "effect-raft"),
      groupId: yield* decode("groupId", GroupId, options.groupId ?? "default"),
      membership: yield* foundersOf(options, nodeId),
      config,
      attributes: options.attributes ?? {}
    }
  })

/** Who belongs to a cluster that begins: nobody, for a node that is to join one. */
const foundersOf = (options: Options, nodeId: NodeId): Effect.Effect<Membership, InvalidOptions> =>
  Effect.gen(function* () {
    const members = options.members ?? {}
    const names = Object.keys(members)
    const wrong = (detail: string) => new InvalidOptions({ option: "members", detail })
    if (options.join === true && names.length > 0)
      return yield* wrong("a node that is to join (join: true) names no members; it learns of them")
    if (options.join === true) return none
    if (names.length === 0)
      return yield* wrong("name the members, or say that this node is to join (join: true)")
    for (const name of names) yield* decode("members", NodeId, name)
    if (!names.includes(nodeId)) return yield* wrong(`${nodeId} is not one of them (${names.join(", ")})`)
    return ofVoters(members)
  })

const decode = <A>(option: string, schema: Schema.ConstraintDecoder<A>, value: string) =>
  Effect.mapError(
    Schema.decodeUnknownEffect(schema)(value),
    (error) => new InvalidOptions({ option, detail: `"${value}" is no good: ${error.message}` })
  )
