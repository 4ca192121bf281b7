/**
 * Where a file stands in the workspace, and where an import specifier leads. Everything the rules need
 * to know about a file follows from its path.
 */
import * as path from "node:path"

export interface Place {
  readonly root: "packages" | "apps"
  /** Name of the folder below the root: `core`, `demo`. */
  readonly name: string
  /** `src`, `test`, `examples`, … */
  readonly part: string
  /** The path within the part, such as `consensus/Election.ts`. */
  readonly inner: string
}

/**
 * The layers of the core, lowest first. `ports` are the services that a node needs, with their memory
 * form beside them; `public` is what users see and whatever else stands at the top of `src`; `barrel` is
 * `index.ts`.
 */
export type Layer =
  | "data"
  | "ports"
  | "consensus"
  | "telemetry"
  | "roles"
  | "internal"
  | "node"
  | "public"
  | "testing"
  | "barrel"

const appNames = new Set(["demo", "bench"])
const scope = "@effect-raft/"

/** Reads a path relative to the root of the repository; `undefined` outside packages and apps. */
export const ofPath = (file: string): Place | undefined => {
  const [root, name, part, ...rest] = file.split("/")
  if (root !== "packages" && root !== "apps") return undefined
  if (name === undefined || part === undefined) return undefined
  return { root, name, part, inner: rest.join("/") }
}

/** The workspace file that `specifier` means when `importer` imports it; `undefined` for all others. */
export const ofSpecifier = (specifier: string, importer: string): Place | undefined => {
  if (specifier.startsWith(".")) return ofPath(path.posix.join(path.posix.dirname(importer), specifier))
  if (!specifier.startsWith(scope)) return undefined
  const [name, ...rest] = specifier.slice(scope.length).split("/")
  if (name === undefined) return undefined
  const inner = rest.length === 0 || rest.join("/") === "testing" ? [...rest, "index"] : rest
  const root = appNames.has(name) ? "apps" : "packages"
  return { root, name, part: "src", inner: `${inner.join("/")}.ts` }
}

export const samePackage = (a: Place, b: Place): boolean => a.root === b.root && a.name === b.name

/** Whether the file is part of what `@effect-raft/core` ships. */
export const isCoreSource = (place: Place): boolean =>
  place.root === "packages" && place.name === "core" && place.part === "src"

/** Whether the file stands for its whole folder: `index.ts`, or a bare `.` or `..`. */
export const isBarrel = (place: Place): boolean =>
  place.part === "src" && (place.inner === "" || /(^|\/)index\.ts$/.test(place.inner))

const topLevelLayers: Readonly<Record<string, Layer>> = {
  NodeId: "data",
  Term: "data",
  LogIndex: "data",
  LogEntry: "data",
  Membership: "data",
  MembershipRecovery: "data",
  MembershipChange: "data",
  SessionId: "data",
  MachineVersion: "data",
  Snapshot: "data",
  ByteSlab: "data",
  RaftMessage: "data",
  ClientMessage: "data",
  RaftError: "data",
  RaftConfig: "data",
  RaftStatus: "data",
  RaftTransport: "ports",
  RaftClientTransport: "ports",
  ClientEntrance: "ports",
  RaftStorage: "ports",
  StateMachine: "ports",
  MemoryTransport: "ports",
  MemoryClientTransport: "ports",
  MemoryStorage: "ports",
  MemorySnapshots: "ports",
  RaftMetrics: "telemetry",
  RaftTrace: "telemetry",
  RaftNode: "node"
}

/** The layer of a file in `packages/core/src`. */
export const layerOf = (place: Place): Layer => {
  const [folder, ...rest] = place.inner.split("/")
  if (folder === "testing") return "testing"
  if (isBarrel(place)) return "barrel"
  if (folder === "sessions") return "data"
  if (rest.length > 0 && (folder === "consensus" || folder === "internal" || folder === "roles"))
    return folder
  return topLevelLayers[place.inner.replace(/\.ts$/, "")] ?? "public"
}

/** Whether the file is shipped for tests: `src/testing/` of any package. */
export const isTestingKit = (place: Place): boolean =>
  place.root === "packages" && place.part === "src" && place.inner.startsWith("testing/")

/** `consensus/Election` for `consensus/Election.ts`. */
export const moduleName = (place: Place): string => place.inner.replace(/\.ts$/, "")
