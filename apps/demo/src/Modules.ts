/**
 * The modules of this program that run as processes or threads of their own, wherever it lies: in its sources,
 * or bundled, where every module ends in another way.
 */
const ending = import.meta.url.slice(import.meta.url.lastIndexOf("."))

/** The program itself. */
export const main = new URL(`./main${ending}`, import.meta.url)

/** One of the simulator's threads. */
export const simWorker = new URL(`./sim/SimWorker${ending}`, import.meta.url)
