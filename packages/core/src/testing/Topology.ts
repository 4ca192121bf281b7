/**
 * Who is cut off from whom.
 *
 * A link works one way, so that a test can break one direction and leave the other. Partitions, isolated
 * nodes and single cuts add up; `heal` takes them all away.
 */
import type { NodeId } from "../NodeId.ts"

/** One direction between two nodes. */
export interface Direction {
  readonly from: NodeId
  readonly to: NodeId
}

export class Topology {
  private readonly cuts = new Set<string>()
  private readonly isolated = new Set<NodeId>()
  private groups: ReadonlyMap<NodeId, number> | undefined

  /** Whether nothing passes from `from` to `to`. */
  isCut(direction: Direction): boolean {
    return (
      this.isolated.has(direction.from) ||
      this.isolated.has(direction.to) ||
      this.cuts.has(keyOf(direction)) ||
      (this.groups !== undefined && this.groups.get(direction.from) !== this.groups.get(direction.to))
    )
  }

  cut(direction: Direction): void {
    this.cuts.add(keyOf(direction))
  }

  mend(direction: Direction): void {
    this.cuts.delete(keyOf(direction))
  }

  isolate(node: NodeId): void {
    this.isolated.add(node)
  }

  rejoin(node: NodeId): void {
    this.isolated.delete(node)
  }

  /** Replaces the partition before. Nodes in none of the groups form one of their own. */
  partition(groups: ReadonlyArray<ReadonlyArray<NodeId>>): void {
    this.groups = new Map(groups.flatMap((group, number) => group.map((node) => [node, number] as const)))
  }

  heal(): void {
    this.cuts.clear()
    this.isolated.clear()
    this.groups = undefined
  }
}

/** A direction as the key of a map. */
export const keyOf = (direction: Direction): string => `${direction.from}>${direction.to}`
