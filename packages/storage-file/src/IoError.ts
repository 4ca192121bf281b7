/** Turns what Node says about a file into the error of the storage port, in words for the node's operator. */
import { IoFailed, StorageError } from "@effect-raft/core/RaftStorage"
import * as FileTrouble from "./FileTrouble.ts"

/**
 * What the operator of a node can do, where the system's word for it does not say so. What was acknowledged is
 * on other disks.
 */
const advice: Readonly<Record<string, string>> = {
  ENOSPC: "make room and start the node again",
  EDQUOT: "make room and start the node again",
  EIO: "look at the disk before the node is started again"
}

/** The typed form of a failed file operation. */
export const ioFailed =
  (operation: string, location: string) =>
  (cause: unknown): StorageError =>
    new StorageError({ reason: new IoFailed({ operation, location, detail: detailOf(cause) }) })

const detailOf = (cause: unknown): string => {
  const words = FileTrouble.describe(cause)
  const next = advice[FileTrouble.codeOf(cause) ?? ""]
  return next === undefined ? words : `${words}; ${next}`
}
