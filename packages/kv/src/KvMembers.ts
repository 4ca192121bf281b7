/**
 * The members of the cluster, as the HTTP API tells of them.
 */
import * as ClientServer from "@effect-raft/core/ClientServer"
import * as Membership from "@effect-raft/core/Membership"
import type { NodeId } from "@effect-raft/core/NodeId"
import type * as KvApi from "./KvApi.ts"
import type { KvMachine } from "./KvMachine.ts"

/** The attribute under which a node tells its peers the URL of its HTTP API. */
export const httpAttribute = "http"

/** The URL of a member's HTTP API, where it is known. */
export type UrlOf = (id: NodeId) => string | null

/** What a node knows of URLs: `own`, and what peers told of theirs. */
export const urlOf =
  (raft: (typeof KvMachine.Raft)["Service"], own: string | null): UrlOf =>
  (id) =>
    id === raft.nodeId ? own : (raft.attributesOf(id)[httpAttribute] ?? null)

/** Every member, with what it counts for and where it is reached. */
export const describe = (
  raft: (typeof KvMachine.Raft)["Service"],
  membership: Membership.Membership,
  urlOf: UrlOf
): ReadonlyArray<typeof KvApi.MemberStatus.Type> =>
  Membership.allMembers(membership).map(({ address, id }) => ({
    id,
    address,
    role: roleOf(membership, id),
    http: urlOf(id),
    clients: ClientServer.addressOf(raft.attributesOf(id)) ?? null
  }))

const roleOf = (membership: Membership.Membership, id: NodeId): (typeof KvApi.MemberStatus.Type)["role"] => {
  const sets = Membership.votingSets(membership)
  if (sets.every((set) => set.includes(id))) return "voter"
  if (!Membership.isVoter(membership, id)) return "learner"
  return sets[0]?.includes(id) === true ? "joining" : "leaving"
}
