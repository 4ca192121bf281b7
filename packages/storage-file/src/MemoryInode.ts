/**
 * A file in memory that knows which of its bytes a power failure may take: what readers see, what is
 * durable, and the changes in between, in their order.
 */
import * as Bytes from "effect/Bytes"

/** Which of the bytes that were written and not synced are on the disk after all. */
export type UnsyncedBytes =
  /**
   * The first so many, up to a word of four, in the order in which they were written: 0 loses all, Infinity
   * keeps all.
   */
  | { readonly firstBytes: number }
  /** Those of the chosen sectors of 512 bytes, in whatever order. */
  | { readonly sectors: (sector: number) => boolean }

type Change =
  | { readonly position: number; readonly bytes: Uint8Array }
  /** What lay beyond is cut off. */
  | { readonly cutAt: number }

export interface Inode {
  visible: Uint8Array
  durable: Uint8Array
  unsynced: Array<Change>
}

const sectorBytes = 512
const wordBytes = 4

/** A new file of zeros, not synced. */
export const make = (bytes: number): Inode => {
  const zeros = new Uint8Array(bytes)
  return {
    visible: zeros,
    durable: new Uint8Array(0),
    unsynced: [{ position: 0, bytes: zeros.slice() }]
  }
}

export const write = (inode: Inode, parts: ReadonlyArray<Uint8Array>, position: number): void => {
  const bytes = Bytes.concat(parts)
  inode.visible = put(inode.visible, bytes, position)
  inode.unsynced.push({ position, bytes })
}

export const cut = (inode: Inode, bytes: number): void => {
  inode.visible = inode.visible.slice(0, bytes)
  inode.unsynced.push({ cutAt: bytes })
}

/**
 * All is durable. Where the flush failed nothing more is, and the kernel takes the pages for clean: readers
 * see them, no later flush writes them.
 */
export const sync = (inode: Inode, hasFailed: boolean): void => {
  if (!hasFailed) keepFirst(inode, Infinity)
  inode.unsynced = []
}

/** Written, and not durable yet. */
export const unsyncedBytes = ({ unsynced }: Inode): number =>
  unsynced.reduce((bytes, change) => bytes + ("cutAt" in change ? 0 : change.bytes.byteLength), 0)

/** The power fails. Returns what is left of a budget of first bytes. */
export const crash = (inode: Inode, kept: UnsyncedBytes, budget: number): number => {
  if ("sectors" in kept) keepSectors(inode, kept.sectors)
  const left = "sectors" in kept ? budget : keepFirst(inode, budget)
  inode.unsynced = []
  inode.visible = inode.durable.slice()
  return left
}

/** Keeps `budget` bytes of the un-synced writes, and returns what is left of it. */
const keepFirst = (inode: Inode, budget: number): number => {
  let left = budget
  for (const change of inode.unsynced) {
    if ("cutAt" in change) {
      if (left > 0) inode.durable = inode.durable.slice(0, change.cutAt)
      continue
    }
    const { byteLength } = change.bytes
    const kept = left >= byteLength ? byteLength : toWord(change.position + left) - change.position
    if (kept > 0) inode.durable = put(inode.durable, change.bytes.subarray(0, kept), change.position)
    left = kept < byteLength ? 0 : left - byteLength
  }
  return left
}

/** Bytes travel in words. A disk, which writes sectors, tears far coarser than this. */
const toWord = (position: number): number => Math.floor(position / wordBytes) * wordBytes

const keepSectors = (inode: Inode, isKept: (sector: number) => boolean): void => {
  for (const change of inode.unsynced) {
    if ("cutAt" in change) continue
    const { bytes, position } = change
    for (let at = 0; at < bytes.byteLength;) {
      const sector = Math.floor((position + at) / sectorBytes)
      const to = Math.min(bytes.byteLength, (sector + 1) * sectorBytes - position)
      if (isKept(sector)) inode.durable = put(inode.durable, bytes.subarray(at, to), position + at)
      at = to
    }
  }
}

/** Writes into `target`, or, where that is too short, into a longer copy. */
const put = (target: Uint8Array, bytes: Uint8Array, position: number): Uint8Array => {
  const room = position + bytes.byteLength
  const result = room <= target.byteLength ? target : new Uint8Array(room)
  if (result !== target) result.set(target)
  result.set(bytes, position)
  return result
}
