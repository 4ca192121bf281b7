/**
 * Checks the import direction of the whole workspace: `node scripts/check-imports.ts`. The rules, and
 * why, stand in `imports/rules.ts`.
 */
import { globSync, readFileSync } from "node:fs"
import * as path from "node:path"
import { violationsOf } from "./imports/rules.ts"

const root = path.resolve(import.meta.dirname, "..")
const files = globSync("{packages,apps}/*/{src,test,examples}/**/*.ts", { cwd: root }).toSorted()

const violations = files.flatMap((file) =>
  violationsOf(file.replaceAll(path.sep, "/"), readFileSync(path.join(root, file), "utf8"))
)

for (const { file, line, message, rule } of violations) console.log(`${file}:${line} ${rule}: ${message}`)
console.log(`${files.length} files, ${violations.length} violations`)
process.exitCode = violations.length === 0 && files.length > 0 ? 0 : 1
