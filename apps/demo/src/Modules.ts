/**
 * The modules of this program that run as processes or threads of their own, wherever it lies: in its sources,
 * or bundled, where every module ends in another way.
 */
import * as NodeModule from "node:module"
import * as NodePath from "node:path"

const parentOf = (path: string | undefined) => (path === undefined ? undefined : NodePath.dirname(path))

const ending = import.meta.url.endsWith(".ts") ? ".ts" : ".js"

/**
 * Where Node keeps what it has compiled of them, for every version of itself apart; `undefined` where it does not.
 */
export const compileCache = parentOf(NodeModule.getCompileCacheDir())

/** The program itself. */
export const main = new URL(`./main${ending}`, import.meta.url)

/** One of the simulator's threads. */
export const simWorker = new URL(`./sim/SimWorker${ending}`, import.meta.url)
