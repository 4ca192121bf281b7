/**
 * Reads a CPU profile of Node (`--cpu-prof`) and tells how its busy time divides.
 */
import * as Schema from "effect/Schema"
import * as Parts from "./Parts.ts"

const CpuProfile = Schema.Struct({
  /** In microseconds, as are the deltas. */
  startTime: Schema.Finite,
  endTime: Schema.Finite,
  nodes: Schema.Array(
    Schema.Struct({
      id: Schema.Int,
      callFrame: Schema.Struct({
        functionName: Schema.String,
        url: Schema.String,
        lineNumber: Schema.Int
      }),
      children: Schema.optionalKey(Schema.Array(Schema.Int))
    })
  ),
  samples: Schema.Array(Schema.Int),
  timeDeltas: Schema.Array(Schema.Finite)
})
type CpuProfile = typeof CpuProfile.Type

export const decode = Schema.decodeEffect(Schema.fromJsonString(CpuProfile))

/** Waiting, and the end of the process, which writes the profile. */
const notWork = new Set(["(idle)", "reallyExit"])

export interface Breakdown {
  readonly busyMicros: number
  /** Microseconds of each part, the largest first. */
  readonly parts: ReadonlyArray<readonly [part: string, micros: number]>
  /** Microseconds of each function by itself, the largest first. */
  readonly functions: ReadonlyArray<readonly [name: string, micros: number]>
}

/** Divides the last `lastMicros` of a profile. */
export const breakDown = (profile: CpuProfile, lastMicros: number): Breakdown => {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]))
  const parents = new Map(
    profile.nodes.flatMap(({ children = [], id }) => children.map((child) => [child, id]))
  )
  const parts = new Map<string, number>()
  const functions = new Map<string, number>()
  let busyMicros = 0
  let atMicros = profile.startTime

  const partOf = (id: number): string => {
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const part = Parts.partOf(nodes.get(at)?.callFrame.url ?? "")
      if (part !== undefined) return part
    }
    return Parts.runtime
  }

  profile.samples.forEach((id, sample) => {
    const micros = profile.timeDeltas[sample] ?? 0
    atMicros += micros
    const { functionName, lineNumber, url } = nodes.get(id)!.callFrame
    if (notWork.has(functionName) || atMicros < profile.endTime - lastMicros) return
    busyMicros += micros
    add(parts, functionName === "(garbage collector)" ? Parts.garbage : partOf(id), micros)
    add(functions, `${functionName || "(anonymous)"} ${shortened(url)}:${lineNumber + 1}`, micros)
  })
  return { busyMicros, parts: sorted(parts), functions: sorted(functions) }
}

const add = (sums: Map<string, number>, key: string, micros: number): void => {
  sums.set(key, (sums.get(key) ?? 0) + micros)
}

const sorted = (sums: ReadonlyMap<string, number>) => Array.from(sums).sort((a, b) => b[1] - a[1])

const shortened = (url: string): string => url.replace(/^.*\/(node_modules|packages|apps)\//, "")
