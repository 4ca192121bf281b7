/**
 * Loaded into a node before its own modules (`node --import`): from the moment that the file named by
 * `FAILING_DISK` is there, every flush of the log fails with the error code that stands in it.
 */
import Fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"

const { existsSync, fdatasync, readFileSync } = Fs
const faultFile = process.env["FAILING_DISK"] ?? ""

const failing = (descriptor: number, done: Fs.NoParamCallback): void => {
  if (!existsSync(faultFile)) return fdatasync(descriptor, done)
  const code = readFileSync(faultFile, "utf8")
  setImmediate(done, Object.assign(new Error(`${code}, injected`), { code }))
}

Object.assign(Fs, { fdatasync: failing })
syncBuiltinESMExports()
