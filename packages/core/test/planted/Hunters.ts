/**
 * Processes that look for planted bugs with the simulator, as many as there are processors. Each takes one
 * order after the other; a bug that kills its process fails its own order only.
 */
import { fork } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import type { Bug } from "./Bug.ts"
import type { Catch, Options } from "./Hunt.ts"

/** What a hunter is sent. */
export interface Order {
  /** The name of the bug to plant, if any. */
  readonly planted: string | undefined
  /** The name of the bug for which the plans are made. */
  readonly aimedAt: string
  readonly options: Options
}

export interface Hunters {
  /** Looks for a bug that is planted. */
  readonly hunt: (bug: Bug, options: Options) => Promise<Catch>
  /** The same plans on code without a bug. */
  readonly tryWithout: (bug: Bug, options: Options) => Promise<Catch>
  readonly close: () => void
}

export const make = (width: number = availableParallelism()): Hunters => {
  const idle: Array<ChildProcess> = []
  const waiting: Array<(hunter: ChildProcess) => void> = []
  let started = 0
  let isClosed = false

  const take = (): Promise<ChildProcess> => {
    const hunter = idle.pop() ?? (started < width ? start() : undefined)
    if (hunter !== undefined) return Promise.resolve(hunter)
    return new Promise((resolve) => waiting.push(resolve))
  }

  const start = (): ChildProcess => {
    started++
    return fork(fileURLToPath(new URL("hunter.ts", import.meta.url)), { execArgv: [] })
  }

  const giveBack = (hunter: ChildProcess): void => {
    if (isClosed) return void hunter.kill()
    const isDead = hunter.exitCode !== null || hunter.signalCode !== null
    if (isDead) started--
    const next = waiting.shift()
    if (next !== undefined) next(isDead ? start() : hunter)
    else if (!isDead) idle.push(hunter)
  }

  const send = async (order: Order): Promise<Catch> => {
    const hunter = await take()
    try {
      return await ask(hunter, order)
    } finally {
      giveBack(hunter)
    }
  }

  return {
    hunt: (bug, options) => send({ planted: bug.name, aimedAt: bug.name, options }),
    tryWithout: (bug, options) => send({ planted: undefined, aimedAt: bug.name, options }),
    close: () => {
      isClosed = true
      for (const hunter of idle) hunter.kill()
    }
  }
}

const ask = (hunter: ChildProcess, order: Order): Promise<Catch> =>
  new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => {
      reject(new Error(`the hunter of "${order.aimedAt}" ended with code ${code}`))
    }
    hunter.once("exit", onExit)
    hunter.once("message", (answer) => {
      hunter.off("exit", onExit)
      const { error, found } = answer as Partial<{ found: Catch; error: string }>
      if (found === undefined) reject(new Error(error))
      else resolve(found)
    })
    hunter.send(order)
  })
