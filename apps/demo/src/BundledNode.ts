/**
 * Loads what a node runs from a bundle, together with what V8 compiled of it in former lives.
 *
 * V8 compiles a function when it is called for the first time, which is a tenth of what a start costs. Node's own
 * cache of compiled modules is made before anything has run, so it has none of that. This one is made while a node
 * runs. To make it takes some 50 ms, in which a node does nothing else, so only the first lives of a bundle do: the
 * first one has read no log yet.
 *
 * V8 believes what it is given. So the file says of which source it is, and has a checksum; it is renamed into its
 * place when it is whole. Where nobody may write it is not kept, and nothing else changes.
 */
import * as NodeFs from "node:fs"
import * as NodeModule from "node:module"
import * as NodePath from "node:path"
import * as NodeVm from "node:vm"
import * as NodeZlib from "node:zlib"
import * as CollectorFlags from "./CollectorFlags.ts"
import type * as NodeOnly from "./NodeOnly.ts"

/** By then a node has recovered, applied its log and followed or led. */
const keptAfterMillis = 4_000
/** So many lives make it, each with what those before had. */
const makingLives = 3

/** Checksum of the source, checksum of the code, number of lives that made it. */
const headerBytes = 12

const sourceFile = NodePath.join(import.meta.dirname, "NodeOnly.cjs")
/** None where Node keeps nothing either. */
const directory = NodeModule.getCompileCacheDir()
const codeFile = directory && NodePath.join(directory, `NodeOnly-${process.arch}-${process.version}.code`)

/** The source of a CommonJS module, as Node would call it. */
type ModuleBody = (
  exports: object,
  require: NodeJS.Require,
  module: { exports: object },
  filename: string,
  dirname: string
) => void

export const main = (): void => {
  // V8 refuses what was compiled under other flags.
  CollectorFlags.tune()
  const source = `(function (exports, require, module, __filename, __dirname) {${NodeFs.readFileSync(sourceFile, "utf8")}\n})`
  const sourceChecksum = NodeZlib.crc32(source)
  const { code, lives } = read(sourceChecksum)
  const script = new NodeVm.Script(source, { filename: sourceFile, ...(code && { cachedData: code }) })
  const module = { exports: {} as typeof NodeOnly }
  const body = script.runInThisContext() as ModuleBody
  body(module.exports, NodeModule.createRequire(sourceFile), module, sourceFile, import.meta.dirname)
  const livesBefore = script.cachedDataRejected === true ? 0 : lives
  if (livesBefore < makingLives)
    setTimeout(() => {
      CollectorFlags.setAsAtStart()
      keep(script.createCachedData(), { sourceChecksum, lives: livesBefore + 1 })
    }, keptAfterMillis).unref()
  module.exports.main()
}

interface Kept {
  readonly code: Buffer | undefined
  readonly lives: number
}

const nothing: Kept = { code: undefined, lives: 0 }

/** What was compiled of this source, if that is there and whole. */
const read = (sourceChecksum: number): Kept => {
  if (codeFile === undefined) return nothing
  let file: Buffer
  try {
    file = NodeFs.readFileSync(codeFile)
  } catch {
    return nothing
  }
  if (file.byteLength < headerBytes || file.readUInt32LE(0) !== sourceChecksum) return nothing
  const code = file.subarray(headerBytes)
  return file.readUInt32LE(4) === NodeZlib.crc32(code) ? { code, lives: file.readUInt32LE(8) } : nothing
}

const keep = (
  code: Buffer,
  { lives, sourceChecksum }: { readonly lives: number; readonly sourceChecksum: number }
): void => {
  if (codeFile === undefined) return
  const header = Buffer.alloc(headerBytes)
  header.writeUInt32LE(sourceChecksum, 0)
  header.writeUInt32LE(NodeZlib.crc32(code), 4)
  header.writeUInt32LE(lives, 8)
  // Several nodes may do so at the same time.
  const unfinished = `${codeFile}.${process.pid}`
  try {
    NodeFs.writeFileSync(unfinished, Buffer.concat([header, code]))
    NodeFs.renameSync(unfinished, codeFile)
  } catch {
    // The next start is slower, as the first one was; a node goes on in any case.
    NodeFs.rm(unfinished, { force: true }, () => undefined)
  }
}
