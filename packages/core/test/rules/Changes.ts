/** What tests of changes of the membership ask for, and the leaders that they ask. */
import type { MembershipChange } from "../../src/MembershipChange.ts"
import * as Build from "./Build.ts"
import type { Given, Subject } from "./Harness.ts"
import { leader } from "./Harness.ts"

export const add = (name: string, autoPromote?: boolean): MembershipChange => ({
  _tag: "AddLearner",
  nodeId: Build.id(name),
  address: `memory:${name}`,
  ...(autoPromote === undefined ? undefined : { autoPromote })
})
export const promote = (name: string): MembershipChange => ({ _tag: "Promote", nodeId: Build.id(name) })
export const demote = (name: string): MembershipChange => ({ _tag: "Demote", nodeId: Build.id(name) })
export const remove = (name: string): MembershipChange => ({ _tag: "Remove", nodeId: Build.id(name) })
export const replace = (...names: ReadonlyArray<string>): MembershipChange => ({
  _tag: "ReplaceVoters",
  voters: names.map(Build.id)
})
export const move = (name: string, address: string): MembershipChange => ({
  _tag: "Move",
  nodeId: Build.id(name),
  address
})

/** The peers acknowledge the whole log. */
export const agree = (node: Subject, ...peers: ReadonlyArray<string>): Subject => {
  for (const peer of peers) {
    const { log, currentTerm } = node.state
    node.receives(peer, Build.accepted({ term: currentTerm, match: log.lastIndex }))
  }
  return node
}

/** Leads term 2; its no-op at index 1 is committed, and all other members have it. */
export const settled = (given: Partial<Given> = {}): Subject => {
  const node = leader({ term: 2, ...given })
  const others = (given.voters ?? 3) + (given.learners ?? 0)
  return agree(node, ...Array.from({ length: others - 1 }, (_, position) => `n${position + 2}`))
}
