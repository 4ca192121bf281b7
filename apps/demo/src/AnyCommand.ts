/**
 * The program as a user calls it: it loads the command that it is to run, or all of them to list them.
 */
import * as Commands from "./Commands.ts"
import * as Program from "./Program.ts"

export const main = (): void => Program.run(Commands.load)
