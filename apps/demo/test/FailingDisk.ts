/**
 * Loaded into a node before its own modules (`node --import`): from the moment that the file named by
 * `FAILING_DISK` is there, every flush of the log fails with the error code that stands in it.
 */
import Fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"

const { existsSync, fdatasync, fdatasyncSync, readFileSync } = Fs
const faultFile = process.env["FAILING_DISK"] ?? ""

const fault = (): Error | undefined => {
  if (!existsSync(faultFile)) return undefined
  const code = readFileSync(faultFile, "utf8")
  return Object.assign(new Error(`${code}, injected`), { code })
}

const inPool = (descriptor: number, done: Fs.NoParamCallback): void => {
  const error = fault()
  if (error === undefined) fdatasync(descriptor, done)
  else setImmediate(done, error)
}

const onLoop = (descriptor: number): void => {
  const error = fault()
  if (error !== undefined) throw error
  fdatasyncSync(descriptor)
}

Object.assign(Fs, { fdatasync: inPool, fdatasyncSync: onLoop })
syncBuiltinESMExports()
