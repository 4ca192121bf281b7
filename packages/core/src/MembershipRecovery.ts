/**
 * A membership that an operator has forced upon a log, and the record of it that stays there.
 *
 * Where a majority of the voters is lost for good, no change of the membership can ever be committed. Then
 * an operator may write one into the log of a survivor, while it is stopped. It stands there as a
 * configuration entry like any other; beside the members, its payload says who were the members before.
 */
import * as Schema from "effect/Schema"
import { Membership } from "./Membership.ts"
import * as NodeId from "./NodeId.ts"

/** That a membership was forced, when, and instead of which. */
export const MembershipRecovery = Schema.Struct({
  /** The operator's clock, in milliseconds since the epoch. */
  atMillis: Schema.Natural,
  /** The membership before; `null` where the log did not say. */
  former: Schema.NullOr(Membership),
  /** On whose log it was done. */
  by: NodeId.NodeId
})
export type MembershipRecovery = typeof MembershipRecovery.Type

const recordKey = "recovery"
const Carrier = Schema.Struct({ [recordKey]: Schema.optionalKey(MembershipRecovery) })
const encodeMembership = Schema.encodeSync(Schema.toCodecJson(Membership))
const encodeCarrier = Schema.encodeSync(Schema.toCodecJson(Carrier))
const decodeCarrier = Schema.decodeSync(Schema.fromJsonString(Schema.toCodecJson(Carrier)))

/** The payload of a configuration entry that says it was forced. `Membership.fromPayload` reads the members. */
export const toPayload = (membership: Membership, recovery: MembershipRecovery): Uint8Array => {
  const fields = [encodeMembership(membership), encodeCarrier({ [recordKey]: recovery })]
  return new TextEncoder().encode(JSON.stringify(Object.assign({}, ...fields)))
}

/** The record in the payload of a configuration entry, if it was forced. */
export const inPayload = (payload: Uint8Array): MembershipRecovery | undefined =>
  decodeCarrier(new TextDecoder().decode(payload))[recordKey]
