/**
 * What a run says and how it ends: 0 all held, 1 something did not, 77 it could not be tried on this
 * machine. That is not success, so it says so loudly and has a code of its own.
 */

const skippedCode = 77

const say = (line: string): void => void process.stdout.write(`${line}\n`)

/** One thing that held. */
export const held = (what: string): void => say(`ok      ${what}`)

/** What is going on. */
export const note = (what: string): void => say(`        ${what}`)

/** Something did not hold. */
export class Broken extends Error {}

/** This machine cannot do what the run needs. */
export class CannotTry extends Error {}

export const expect = (
  condition: boolean,
  what: string,
  found?: string | number | ReadonlyArray<string>
): void => {
  if (!condition) throw new Broken(found === undefined ? what : `${what}; found ${String(found)}`)
  held(what)
}

let broken = 0

/** As `expect`, and goes on: for figures that are judged one by one in the end. */
export const check = (condition: boolean, what: string): void => {
  if (!condition) broken += 1
  say(`${condition ? "ok     " : "BROKEN "} ${what}`)
}

/** Runs it to its end, and says how it ended. */
export const main = async (run: () => Promise<void>): Promise<void> => {
  try {
    await run()
    say(broken === 0 ? "everything held" : `${broken} of the above did not hold`)
    process.exitCode = broken === 0 ? 0 : 1
  } catch (error) {
    if (error instanceof CannotTry) {
      say(`SKIPPED ${error.message}. Nothing was tried, nothing is known`)
      process.exitCode = skippedCode
    } else {
      say(`BROKEN  ${error instanceof Broken ? error.message : String((error as Error).stack)}`)
      process.exitCode = 1
    }
  }
}
