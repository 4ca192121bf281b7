/** What the system says when a file cannot be used, in words for an operator, with what can be done about it. */

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

/** An error of Node in words; its own message where there are no better ones. */
export const describe = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause)
  const code = codeOf(cause)
  const explanation = code === undefined ? undefined : explanations[code]
  return explanation === undefined ? cause.message : `${explanation} (${code})`
}

/** The system's name of an error, such as `ENOENT`. */
export const codeOf = (cause: unknown): string | undefined =>
  cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : undefined
