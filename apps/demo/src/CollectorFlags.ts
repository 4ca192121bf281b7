/**
 * The flags of V8 by which `Collector` sets the garbage collector. What V8 compiled under one set of flags it refuses
 * under another; so whoever loads compiled code must set them, and cannot have loaded anything else by then.
 */
import * as NodeV8 from "node:v8"

/** The first major version of V8 that is known to have all of them; another one would complain on standard error. */
const sinceV8 = 14

/** By how much the young generation grows when much of it stays, as V8 begins. */
export const youngGrowthAtStart = 2

/** So many percent the heap and all buffers may grow before a major collection, while a node reads back what it was. */
const heapGrowthAtStart = 150

const flags = [
  "--external-memory-accounted-in-global-limit",
  "--external-memory-max-growing-factor=2",
  `--heap-growing-percent=${heapGrowthAtStart}`
]

export const areKnown = Number.parseInt(process.versions.v8) >= sinceV8

/** To be done before much has been allocated. Once more changes nothing. */
export const tune = (): void => {
  if (areKnown) for (const flag of flags) NodeV8.setFlagsFromString(flag)
}

export const setYoungGrowth = (factor: number): void => {
  if (areKnown) NodeV8.setFlagsFromString(`--semi-space-growth-factor=${factor}`)
}

export const setHeapGrowth = (percent: number): void => {
  if (areKnown) NodeV8.setFlagsFromString(`--heap-growing-percent=${percent}`)
}

/** Those that change while a node runs, as they were when its code was loaded. `Collector` changes them again. */
export const setAsAtStart = (): void => {
  setYoungGrowth(youngGrowthAtStart)
  setHeapGrowth(heapGrowthAtStart)
}
