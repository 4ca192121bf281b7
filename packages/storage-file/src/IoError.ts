/** Turns what Node says about a file into the error of the storage port, in words for its operator. */
import { IoFailed, StorageError } from "@effect-raft/core/RaftStorage"

const explanations: Readonly<Record<string, string>> = {
  EACCES: "this user may not do that here; check owner and permissions",
  EPERM: "this user may not do that here; check owner and permissions",
  EROFS: "the file system is mounted read-only",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EIO: "the disk reports an error",
  ENOENT: "there is no such file or directory",
  EISDIR: "there is a directory where a file is needed",
  ENOTDIR: "there is a file where a directory is needed",
  EEXIST: "there is a file where a directory or a new file is needed",
  EMFILE: "this process has too many open files",
  ENFILE: "this machine has too many open files"
}

/** What the operator can do, where the system's word for it does not say so. What was acknowledged is on other disks. */
const advice: Readonly<Record<string, string>> = {
  ENOSPC: "make room and start the node again",
  EDQUOT: "make room and start the node again",
  EIO: "look at the disk before the node is started again"
}

/** The typed form of a failed file operation. */
export const ioFailed =
  (operation: string, location: string) =>
  (cause: unknown): StorageError =>
    new StorageError({ reason: new IoFailed({ operation, location, detail: describe(cause) }) })

const describe = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause)
  const code = "code" in cause && typeof cause.code === "string" ? cause.code : undefined
  const explanation = code === undefined ? undefined : explanations[code]
  if (code === undefined || explanation === undefined) return cause.message
  return code in advice ? `${explanation} (${code}); ${advice[code]}` : `${explanation} (${code})`
}
