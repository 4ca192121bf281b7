/**
 * The flags of V8 by which `Collector` sets the garbage collector. What V8 compiled under one set of flags it refuses
 * under another; so whoever loads compiled code must set them, and cannot have loaded anything else by then.
 */
import * as NodeV8 from "node:v8"

/** The first major version of V8 that is known to have all of them; another one would complain on standard error. */
const sinceV8 = 14

const flags = [
  "--external-memory-accounted-in-global-limit",
  "--external-memory-max-growing-factor=2",
  "--heap-growing-percent=100"
]

export const areKnown = Number.parseInt(process.versions.v8) >= sinceV8

/** To be done before much has been allocated. Once more changes nothing. */
export const tune = (): void => {
  if (areKnown) for (const flag of flags) NodeV8.setFlagsFromString(flag)
}

/** By how much the young generation grows when much of it stays, as V8 begins. */
export const youngGrowthAtStart = 2

export const setYoungGrowth = (factor: number): void => {
  if (areKnown) NodeV8.setFlagsFromString(`--semi-space-growth-factor=${factor}`)
}
