/** What went wrong with a file that the user named, in the same words as a node's own troubles with its files. */
import * as FileTrouble from "@effect-raft/storage-file/FileTrouble"
import type * as PlatformError from "effect/PlatformError"

export const describe = (error: PlatformError.PlatformError): string =>
  FileTrouble.describe(error.reason.cause ?? error)
