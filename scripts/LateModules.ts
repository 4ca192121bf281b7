/**
 * A plugin of the bundler: modules that are loaded when something of them is first used, and not with the program.
 *
 * A node that has no certificates speaks no TLS, and nobody wants WebSockets of it. Yet what it is made of imports the
 * modules for that, and to load them is a tenth of what a start costs.
 */
import * as NodeModule from "node:module"
import type { Plugin } from "rolldown"

const prefix = "\0late:"

/** Makes modules late: those of Node by their names without `node:`, others as they are imported. */
export const plugin = (names: ReadonlyArray<string>): Plugin => ({
  name: "modules that are loaded when they are used",
  resolveId: (id, importer) => {
    const name = id.replace(/^node:/, "")
    if (importer === undefined || importer.startsWith(prefix) || !names.includes(name)) return undefined
    return `${prefix}${NodeModule.createRequire(importer).resolve(name)}`
  },
  load: (id) => (id.startsWith(prefix) ? textOf(id.slice(prefix.length)) : undefined)
})

/** A CommonJS module: the bundler wraps one in a function, so what it requires itself is late as well. */
const textOf = (module: string): string => {
  const load = NodeModule.isBuiltin(module) ? "process.getBuiltinModule" : "require"
  const exported = require(module) as Readonly<Record<string, unknown>>
  const getters = Object.keys(exported).map((name) => `get ${name}() { return late().${name} }`)
  return `const late = () => ${load}(${JSON.stringify(module)})\nmodule.exports = { ${getters.join(", ")} }\n`
}

const require = NodeModule.createRequire(import.meta.url)
