/**
 * What a source file refers to: the modules it imports, in every way the language has, and the globals
 * that make a program depend on its platform. Read from the syntax tree, so neither a comment nor a
 * string can hide or fake a reference.
 */
import { parseAst } from "vitest/node"

export interface Import {
  readonly specifier: string
  /** Erased before the program runs: `import type`, `export type`, `import("x").T`. */
  readonly typeOnly: boolean
  readonly line: number
}

export interface GlobalUse {
  /** As in the source, such as `Date.now`. */
  readonly name: string
  readonly line: number
}

export interface Source {
  readonly imports: ReadonlyArray<Import>
  readonly platformGlobals: ReadonlyArray<GlobalUse>
}

interface Node {
  readonly type: string
  readonly start: number
  readonly [field: string]: unknown
}

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && "type" in value && typeof value.type === "string"

/** Reads one TypeScript file; answers a `SyntaxError` where it is none. */
export const parse = (text: string): Source | SyntaxError => {
  try {
    return referencesIn(parseAst(text, { lang: "ts" }), lineCounter(text))
  } catch (error) {
    return new SyntaxError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

const referencesIn = (program: unknown, lineOf: (offset: number) => number): Source => {
  const imports: Array<Import> = []
  const platformGlobals: Array<GlobalUse> = []
  walk(program, (node) => {
    const found = importOf(node)
    if (found !== undefined) imports.push({ ...found, line: lineOf(node.start) })
    const name = platformGlobalOf(node)
    if (name !== undefined) platformGlobals.push({ name, line: lineOf(node.start) })
  })
  return { imports, platformGlobals }
}

const walk = (value: unknown, visit: (node: Node) => void): void => {
  if (Array.isArray(value)) {
    for (const item of value) walk(item, visit)
    return
  }
  if (!isNode(value)) return
  visit(value)
  for (const child of Object.values(value)) walk(child, visit)
}

const lineCounter =
  (text: string) =>
  (offset: number): number =>
    text.slice(0, offset).split("\n").length

const importOf = (node: Node): Omit<Import, "line"> | undefined => {
  const specifier = isNode(node["source"]) ? node["source"]["value"] : undefined
  if (typeof specifier !== "string") return undefined
  switch (node.type) {
    case "ImportDeclaration":
      return { specifier, typeOnly: node["importKind"] === "type" }
    case "ExportAllDeclaration":
    case "ExportNamedDeclaration":
      return { specifier, typeOnly: node["exportKind"] === "type" }
    case "ImportExpression":
      return { specifier, typeOnly: false }
    case "TSImportType":
      return { specifier, typeOnly: true }
    default:
      return undefined
  }
}

const hostObjects = new Set(["process", "performance", "crypto", "globalThis"])
const hostFunctions = new Set(["setTimeout", "setInterval", "setImmediate", "queueMicrotask", "fetch"])
const impureMembers = new Set(["Date.now", "Math.random"])

const platformGlobalOf = (node: Node): string | undefined => {
  if (node.type === "MemberExpression") {
    const object = identifier(node["object"])
    if (object === undefined) return undefined
    const name = `${object}.${memberName(node)}`
    return hostObjects.has(object) || impureMembers.has(name) ? name : undefined
  }
  if (node.type === "NewExpression" || node.type === "CallExpression") {
    const callee = identifier(node["callee"])
    if (callee === "Date") return node.type === "NewExpression" ? "new Date" : "Date()"
    return callee !== undefined && hostFunctions.has(callee) ? callee : undefined
  }
  return undefined
}

const identifier = (value: unknown): string | undefined =>
  isNode(value) && value.type === "Identifier" && typeof value["name"] === "string"
    ? value["name"]
    : undefined

/** `now` for both `Date.now` and `Date["now"]`. */
const memberName = (member: Node): string => {
  const property = member["property"]
  if (isNode(property) && property.type === "Literal") return String(property["value"])
  return identifier(property) ?? "?"
}
