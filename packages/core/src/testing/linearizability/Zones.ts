/**
 * A quick proof that no order exists, for the commonest violation: a value seen again after it was gone.
 *
 * Where only one operation can bring a state about, the state is there once, without a break: from the
 * moment by which somebody had written or seen it until the last who saw it asked. Nothing that changes
 * the state fits into that zone, and no two such zones can overlap; nor can another unique state come and
 * go within it (the zones of Gibbons and Korach, "Testing shared memories", 1997). The search would find
 * the same, after trying every order of all before.
 */
import type { Unique } from "./Demand.ts"
import type { Workload } from "./Workload.ts"

/**
 * When a unique state must be in force, and the operation that saw it last. Where `toNanos` comes first,
 * all who wrote or saw it overlap, and it may have been there for a moment only, at any time.
 */
interface Zone {
  readonly fromNanos: number
  readonly toNanos: number
  readonly seenLast: number
}

/** Something that changes the state, and happens within these times. */
interface Change {
  readonly callNanos: number
  readonly returnNanos: number
}

/** The operation that sees a state which must have been gone for good. Of several the first to be called. */
export const findContradiction = <State, Input, Output>(
  { required }: Workload<State, Input, Output>,
  unique: ReadonlyArray<Unique>
): number | undefined => {
  const all = unique.map((state) => zoneOf(required, state)).sort((a, b) => a.toNanos - b.toNanos)
  const zones = all.filter(({ fromNanos, toNanos }) => fromNanos < toNanos)
  const moments = all
    .filter(({ fromNanos, toNanos }) => fromNanos >= toNanos)
    .map(({ fromNanos, toNanos }) => ({ callNanos: toNanos, returnNanos: fromNanos }))
  const writes = required.filter(({ isReadOnly }) => !isReadOnly).map(({ operation }) => operation)
  const isBroken = breaksOf([...writes, ...moments])
  let latest: Zone | undefined
  for (const zone of zones) {
    if (isBroken(zone)) return zone.seenLast
    // In the order of their ends, two zones overlap if the later one begins before the earlier one ends.
    if (latest !== undefined && zone.fromNanos < latest.toNanos) return zone.seenLast
    latest = zone
  }
  return undefined
}

type RequiredOperations = Workload<unknown, unknown, unknown>["required"]

const zoneOf = (required: RequiredOperations, { origin, neededBy }: Unique): Zone => {
  const ids = origin === undefined ? neededBy : [origin, ...neededBy]
  let [fromNanos, toNanos, seenLast] = [Infinity, -Infinity, -1]
  for (const id of ids) {
    const { callNanos, returnNanos } = required[id]!.operation
    fromNanos = Math.min(fromNanos, returnNanos)
    if (callNanos > toNanos) [toNanos, seenLast] = [callNanos, id]
  }
  return { fromNanos, toNanos, seenLast }
}

/** Whether one of the changes happens wholly within a zone. */
const breaksOf = (unsorted: ReadonlyArray<Change>): ((zone: Zone) => boolean) => {
  const changes = unsorted.toSorted((a, b) => a.callNanos - b.callNanos)
  const firstReturn = new Float64Array(changes.length + 1).fill(Infinity)
  for (let at = changes.length - 1; at >= 0; at--) {
    firstReturn[at] = Math.min(firstReturn[at + 1]!, changes[at]!.returnNanos)
  }
  return ({ fromNanos, toNanos }) => {
    let [low, high] = [0, changes.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (changes[middle]!.callNanos <= fromNanos) low = middle + 1
      else high = middle
    }
    return firstReturn[low]! < toNanos
  }
}
