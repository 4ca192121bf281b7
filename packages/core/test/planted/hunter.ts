/**
 * A process that hunts: it is sent orders, plants the bug, looks for it, and sends back what it found.
 */
import { bugNamed } from "./bugs.ts"
import type * as Hunt from "./Hunt.ts"
import type { Order } from "./Hunters.ts"
import * as PlantedModules from "./PlantedModules.ts"

PlantedModules.install()

const carryOut = async ({ aimedAt, options, planted }: Order) => {
  const address = new URL("Hunt.ts", import.meta.url).href
  const copy = planted === undefined ? address : PlantedModules.withBug(address, planted)
  const { hunt } = (await import(copy)) as typeof Hunt
  return hunt(bugNamed(aimedAt), options)
}

process.on("message", (order: Order) => {
  void carryOut(order).then(
    (found) => process.send?.({ found }),
    (error: unknown) => process.send?.({ error: error instanceof Error ? error.message : String(error) })
  )
})
