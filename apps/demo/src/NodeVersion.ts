/**
 * Which Node the program needs. It imports nothing, so that an older Node gets as far as saying so.
 */

/** The oldest that has all that is used: the log's lock (`node:sqlite`), the cache of compiled modules, types in sources. */
const oldest = { major: 22, minor: 19 }

/** What is wrong with running on this version of Node, such as "26.10.0"; nothing where it will do. */
export const complaintAbout = (version: string): string | undefined => {
  const [major = 0, minor = 0] = version.split(".").map(Number)
  if (major > oldest.major || (major === oldest.major && minor >= oldest.minor)) return undefined
  return (
    `this is Node ${version}, and ${oldest.major}.${oldest.minor} or newer is needed. ` +
    "In the repository `npx -y pnpm@12 effect-raft` brings its own"
  )
}
