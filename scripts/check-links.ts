/**
 * Checks that every relative link in our Markdown leads to a file: `node scripts/check-links.ts`.
 */
import { existsSync, globSync, readFileSync } from "node:fs"
import * as path from "node:path"
import { relativeLinks } from "./links/relativeLinks.ts"

const root = path.resolve(import.meta.dirname, "..")
const files = globSync(["*.md", "docs/**/*.md", "{packages,apps}/*/*.md"], { cwd: root }).toSorted()

const broken = files.flatMap((file) =>
  relativeLinks(readFileSync(path.join(root, file), "utf8"))
    .filter((link) => !existsSync(path.resolve(root, path.dirname(file), link)))
    .map((link) => `${file}: ${link} leads nowhere`)
)

for (const line of broken) console.log(line)
console.log(`${files.length} files, ${broken.length} broken links`)
process.exitCode = broken.length === 0 ? 0 : 1
