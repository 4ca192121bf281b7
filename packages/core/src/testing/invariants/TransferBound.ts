/**
 * A leader that hands over takes no commands meanwhile, so it gives up within an election timeout (thesis,
 * section 3.10): a heartbeat at or after the deadline finds no transfer any more.
 */
import { Violation } from "./Invariant.ts"
import type { Invariant } from "./Invariant.ts"

export const make = (): Invariant => {
  const property = "Transfer Bound"
  return {
    property,
    onTurn: (nodeId, { after: { role }, events, nowMillis }) => {
      if (role._tag !== "Leader" || role.transfer === undefined) return
      const { to, deadlineMillis } = role.transfer
      if (nowMillis < deadlineMillis || !events.some(({ _tag }) => _tag === "HeartbeatDue")) return
      const late = nowMillis - deadlineMillis
      throw new Violation(property, nodeId, `it still hands over to ${to}, ${late} ms after the deadline`)
    }
  }
}
