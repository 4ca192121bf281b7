/**
 * The snapshots of one simulated node: the newest on its disk, those on their way there, and the part that
 * a leader has sent so far.
 *
 * A snapshot is the list of the terms of all entries that it stands for, as JSON, so that a test can compare
 * what a machine was restored from with what was committed.
 */
import type { NodeId } from "../../src/NodeId.ts"
import type { InstallSnapshot } from "../../src/RaftMessage.ts"
import type { LogBase } from "../../src/RaftStorage.ts"
import type { SnapshotMeta } from "../../src/Snapshot.ts"
import type { SnapshotReceived, SnapshotTaken } from "../../src/consensus/Event.ts"

export interface WholeSnapshot {
  readonly meta: SnapshotMeta
  readonly terms: ReadonlyArray<number>
}

interface Unfinished {
  readonly snapshot: WholeSnapshot
  /** What the node is told when it is durable. */
  readonly event: SnapshotTaken | SnapshotReceived
}

interface Part {
  readonly id: string
  bytes: ReadonlyArray<number>
}

export class SnapshotShelf {
  newest: WholeSnapshot | undefined
  /** Written, and not yet durable, in order. */
  unfinished: Array<Unfinished> = []
  private part: Part | undefined

  constructor(newest: SnapshotMeta | undefined) {
    this.newest = newest === undefined ? undefined : { meta: newest, terms: termsUpTo(newest) }
  }

  /** The newest snapshot as it is sent. */
  get bytes(): Uint8Array {
    return new TextEncoder().encode(JSON.stringify(this.newest?.terms ?? []))
  }

  /** Begins to write an own snapshot, unless one is being written. */
  begin(meta: SnapshotMeta, terms: ReadonlyArray<number>): boolean {
    if (this.unfinished.some(({ event }) => event._tag === "SnapshotTaken")) return false
    const snapshot = { meta, terms: [...terms] }
    this.unfinished.push({ snapshot, event: { _tag: "SnapshotTaken", snapshot: meta } })
    return true
  }

  /** Keeps a piece. Which byte is wanted next; `undefined` where the snapshot is whole. */
  keep(from: NodeId, { snapshot: meta, data, offset, sizeBytes }: InstallSnapshot): number | undefined {
    if (this.unfinished.some(({ snapshot }) => snapshot.meta.id === meta.id)) return undefined
    const part = this.part?.id === meta.id ? this.part : { id: meta.id, bytes: [] }
    this.part = part
    const missing = part.bytes.length - offset
    if (missing >= 0) part.bytes = [...part.bytes, ...data.subarray(missing)]
    if (part.bytes.length < sizeBytes) return part.bytes.length
    const text = new TextDecoder().decode(Uint8Array.from(part.bytes))
    const terms = JSON.parse(text) as ReadonlyArray<number>
    this.unfinished.push({
      snapshot: { meta, terms },
      event: { _tag: "SnapshotReceived", from, snapshot: meta }
    })
    this.part = undefined
    return undefined
  }

  /** The oldest unfinished one is durable; it is the newest one unless that reaches further. */
  finish(): Unfinished["event"] | undefined {
    const finished = this.unfinished.shift()
    if (finished !== undefined) this.put(finished.snapshot)
    return finished?.event
  }

  /** The power goes. Finished parts of a snapshot may be whole on the disk, or lost. */
  crash({ keepsSnapshots }: { readonly keepsSnapshots: boolean }): void {
    if (keepsSnapshots) for (const { snapshot } of this.unfinished) this.put(snapshot)
    else this.part = undefined
    this.unfinished = []
  }

  /** The log begins after `base`: what stands in `terms` up to there is what the snapshot says. */
  putBefore(terms: Array<number>, base: LogBase): void {
    terms.splice(0, base.index, ...(this.newest?.terms ?? []).slice(0, base.index))
  }

  put(snapshot: WholeSnapshot): void {
    if (snapshot.meta.lastIndex >= (this.newest?.meta.lastIndex ?? 0)) this.newest = snapshot
  }
}

/** What a test's snapshot holds when it says no more than where it ends. */
export const termsUpTo = (meta: SnapshotMeta): ReadonlyArray<number> =>
  Array.from({ length: meta.lastIndex }, () => meta.lastTerm)
