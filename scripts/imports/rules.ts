/**
 * Who may import whom (DESIGN.md, section 3), and what the core may not touch at all.
 *
 *     data <- consensus <- roles, RaftNode <- Raft <- kv, demo
 *     data <- ports     <- roles, RaftNode
 *
 * A rule looks at one reference and says what is wrong with it, or nothing.
 */
import { isBuiltin } from "node:module"
import * as Place from "./Place.ts"
import * as Source from "./Source.ts"

export type Rule =
  | "readable"
  | "core-is-platform-free"
  | "core-is-deterministic"
  | "consensus-is-pure"
  | "core-layers"
  | "own-barrel"
  | "package-boundary"
  | "package-direction"
  | "testing-stays-in-tests"

export interface Violation {
  readonly file: string
  readonly line: number
  readonly rule: Rule
  readonly message: string
}

interface Reference {
  readonly from: Place.Place
  /** `undefined` when the import leaves the workspace. */
  readonly to: Place.Place | undefined
  readonly specifier: string
  readonly typeOnly: boolean
}

type Check = readonly [rule: Rule, problem: (reference: Reference) => string | undefined]

/** Every violation in one file; `file` is its path from the root of the repository. */
export const violationsOf = (file: string, text: string): ReadonlyArray<Violation> => {
  const from = Place.ofPath(file)
  if (from === undefined) return []
  const source = Source.parse(text)
  if (source instanceof SyntaxError) return [{ file, line: 1, rule: "readable", message: source.message }]
  return [...importViolations(file, from, source), ...globalViolations(file, from, source)]
}

const importViolations = (file: string, from: Place.Place, source: Source.Source): Array<Violation> =>
  source.imports.flatMap(({ line, specifier, typeOnly }) => {
    const reference = { from, to: Place.ofSpecifier(specifier, file), specifier, typeOnly }
    return checks.flatMap(([rule, problem]) => {
      const message = problem(reference)
      return message === undefined ? [] : [{ file, line, rule, message }]
    })
  })

const globalViolations = (file: string, from: Place.Place, source: Source.Source): Array<Violation> => {
  if (!Place.isCoreSource(from)) return []
  return source.platformGlobals.map(({ line, name }) => ({
    file,
    line,
    rule: "core-is-deterministic",
    message: `${name} in the core: take time from Clock, chance from Random, waiting from Effect.sleep`
  }))
}

const platformFree = ({ from, specifier }: Reference): string | undefined => {
  if (!Place.isCoreSource(from)) return undefined
  if (!isBuiltin(specifier) && !specifier.startsWith("@effect/platform-")) return undefined
  return `the core imports ${specifier}, but it must run in a browser: put it behind a port`
}

const consensusIsPure = ({ from, specifier, to, typeOnly }: Reference): string | undefined => {
  if (!Place.isCoreSource(from) || Place.layerOf(from) !== "consensus") return undefined
  if (to !== undefined || typeOnly) return undefined
  return `a rule imports ${specifier} at run time: consensus/ has its own files, plain data and types only`
}

/** The layers that each layer may import. */
const mayImport: Readonly<Record<Place.Layer, ReadonlyArray<Place.Layer>>> = {
  data: ["data"],
  ports: ["data", "ports"],
  consensus: ["data", "consensus"],
  telemetry: ["data", "ports", "consensus", "telemetry"],
  roles: ["data", "ports", "consensus", "telemetry", "roles"],
  internal: ["data", "ports", "consensus", "telemetry", "roles", "internal"],
  node: ["data", "ports", "consensus", "telemetry", "roles", "internal", "node"],
  public: ["data", "ports", "consensus", "telemetry", "roles", "internal", "node", "public"],
  testing: ["data", "ports", "consensus", "telemetry", "roles", "internal", "node", "public", "testing"],
  barrel: ["data", "ports", "consensus", "telemetry", "node", "public"]
}

/** What may be named as a type beyond that: the ports in the rules; a machine's handle in its definition. */
const mayAlsoName = (from: Place.Place, to: Place.Place): boolean =>
  (Place.layerOf(from) === "consensus" && Place.layerOf(to) === "ports") ||
  (Place.moduleName(from) === "StateMachine" && ["Raft", "RaftClient"].includes(Place.moduleName(to)))

const coreLayers = ({ from, to, typeOnly }: Reference): string | undefined => {
  if (to === undefined || !Place.isCoreSource(from) || !Place.isCoreSource(to)) return undefined
  const fromLayer = Place.layerOf(from)
  const toLayer = Place.layerOf(to)
  if (toLayer === "barrel" || toLayer === "testing") return undefined // other rules speak of these
  if (mayImport[fromLayer].includes(toLayer)) return undefined
  if (typeOnly && mayAlsoName(from, to)) return undefined
  return `${fromLayer} imports ${toLayer} (${Place.moduleName(to)}): the arrow points the other way`
}

const ownBarrel = ({ from, to }: Reference): string | undefined => {
  if (to === undefined || !Place.samePackage(from, to) || !Place.isBarrel(to)) return undefined
  return "a file imports a barrel of its own package: import the module itself"
}

const packageBoundary = ({ from, specifier, to }: Reference): string | undefined => {
  if (to === undefined || Place.samePackage(from, to)) return undefined
  if (specifier.startsWith(".")) {
    return `${specifier} reaches into another package: import @effect-raft/${to.name}/...`
  }
  const isPrivate = to.name === "core" && /^(internal|roles)\//.test(to.inner)
  return isPrivate && from.part !== "test" ? `${specifier} is private to the core` : undefined
}

/** Which workspace packages the sources of a package may import. An app may import any. */
const packageMayImport: Readonly<Record<string, ReadonlyArray<string>>> = {
  core: [],
  "transport-tcp": ["core"],
  "storage-file": ["core"],
  kv: ["core"]
}

/**
 * The ports that an adapter implements or serves; beside them, it sees the plain data of the core. Its testing
 * kit sees more.
 */
const portsOfAdapter: Readonly<Record<string, ReadonlyArray<string>>> = {
  "transport-tcp": ["RaftTransport", "RaftClientTransport", "ClientEntrance"],
  "storage-file": ["RaftStorage"]
}

const packageDirection = ({ from, to }: Reference): string | undefined => {
  if (to === undefined || from.root !== "packages" || Place.samePackage(from, to)) return undefined
  if (to.root === "apps") return `a package imports the app ${to.name}`
  if (from.part !== "src") return undefined
  if (!(packageMayImport[from.name] ?? []).includes(to.name)) return `${from.name} imports ${to.name}`
  const ports = portsOfAdapter[from.name]
  if (ports === undefined || Place.layerOf(to) === "data" || ports.includes(Place.moduleName(to)))
    return undefined
  if (Place.isTestingKit(from) && Place.isTestingKit(to)) return undefined
  const seen = ports.join(", ")
  return `${from.name} imports ${Place.moduleName(to)}: it may see the plain data of the core and ${seen}`
}

const testingStaysInTests = ({ from, to }: Reference): string | undefined => {
  if (to === undefined || !Place.isTestingKit(to)) return undefined
  if (from.root === "apps" || from.part === "test") return undefined
  if (Place.isTestingKit(from)) return undefined
  return "code that is not a test imports testing"
}

const checks: ReadonlyArray<Check> = [
  ["core-is-platform-free", platformFree],
  ["consensus-is-pure", consensusIsPure],
  ["core-layers", coreLayers],
  ["own-barrel", ownBarrel],
  ["package-boundary", packageBoundary],
  ["package-direction", packageDirection],
  ["testing-stays-in-tests", testingStaysInTests]
]
