/**
 * Copies of the source with a bug in them, in one process and side by side: a module that is imported with
 * `?planted=…` is a copy of its own, and so is all of the workspace that it imports. The source files stay
 * as they are, and what is imported without a bug's name is without a bug.
 */
import { registerHooks } from "node:module"
import { addressOf, plant } from "./Bug.ts"
import { bugNamed } from "./bugs.ts"

const parameter = "planted"
const packages = new URL("../../../", import.meta.url).href

const isOfWorkspace = (address: string): boolean =>
  address.startsWith(packages) && !address.includes("/node_modules/")

/** What a module's address says of the bug in its copy. */
const markOf = (address: string | undefined): string | undefined =>
  address === undefined || !address.startsWith("file:")
    ? undefined
    : (new URL(address).searchParams.get(parameter) ?? undefined)

/** The address of the copy of a module with this bug in it. */
export const withBug = (address: string, name: string): string => {
  const url = new URL(address)
  url.searchParams.set(parameter, name)
  return url.href
}

/** From here on copies can be imported. */
export const install = (): void => {
  registerHooks({
    resolve: (specifier, context, nextResolve) => {
      const resolved = nextResolve(specifier, context)
      const mark = markOf(context.parentURL)
      return mark === undefined || !isOfWorkspace(resolved.url)
        ? resolved
        : { ...resolved, url: withBug(resolved.url, mark) }
    },
    load: (address, context, nextLoad) => {
      const loaded = nextLoad(address, context)
      const bug = bugNamed(markOf(address))
      if (bug === undefined) return loaded
      const [plain] = address.split("?")
      return plain === addressOf(bug) ? { ...loaded, source: plant(bug) } : loaded
    }
  })
}
