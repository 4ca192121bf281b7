/**
 * How a file of the log gets its blocks: a piece at a time, with zeros ahead of what is written.
 *
 * A segment has its full size from the beginning and is one hole. The flush of a write into a hole has to commit the
 * journal of the file system as well, for the new blocks, and takes about half as long again. So a small write that
 * comes to the hole takes zeros along, up to the end of its piece, and those after it find their blocks there. A
 * write as large as a piece goes in as it is: to write its bytes twice would take longer than that commit.
 *
 * To fill the whole file ahead of its time takes the disk from the flushes meanwhile, and a node that catches
 * up wrote everything twice: docs/decisions/0039.
 */

export const pieceBytes = 256 * 1024

const zeros = new Uint8Array(pieceBytes)

/** A file that was made with a size, and how far it has blocks. All in bytes from its start. */
export interface Ground {
  /** What it was made with. A file that grows has none, and is not filled. */
  readonly sizeBytes: number
  readonly filledBytes: number
}

/** What a write of `bytes` bytes takes along that ends at `end`; nothing where there are blocks already. */
export const zerosAfter = ({ filledBytes, sizeBytes }: Ground, end: number, bytes: number): Uint8Array => {
  const isCovered = end <= filledBytes || bytes >= pieceBytes
  const until = isCovered ? end : Math.min(sizeBytes, Math.ceil(end / pieceBytes) * pieceBytes)
  return zeros.subarray(0, Math.max(0, until - end))
}
