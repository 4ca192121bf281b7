/**
 * Checks that every relative link in our Markdown leads to a file, and that a test that is named is in the
 * file to which its name leads: `node scripts/check-links.ts`.
 */
import { existsSync, globSync, readFileSync } from "node:fs"
import * as path from "node:path"
import { relativeLinks } from "./links/relativeLinks.ts"
import { testLinks } from "./links/testLinks.ts"

const root = path.resolve(import.meta.dirname, "..")
const files = globSync(["*.md", "docs/**/*.md", "{packages,apps}/*/*.md"], { cwd: root }).toSorted()

const textOf = (file: string): string => readFileSync(path.join(root, file), "utf8")
const targetOf = (file: string, link: string): string => path.resolve(root, path.dirname(file), link)

const broken = files.flatMap((file) =>
  relativeLinks(textOf(file))
    .filter((link) => !existsSync(targetOf(file, link)))
    .map((link) => `${file}: ${link} leads nowhere`)
)

const unnamed = files.flatMap((file) =>
  testLinks(textOf(file))
    .filter(({ target }) => existsSync(targetOf(file, target)))
    .filter(({ target, words }) => !readFileSync(targetOf(file, target), "utf8").includes(words))
    .map(({ target, words }) => `${file}: there is no test "${words}" in ${target}`)
)

const wrong = [...broken, ...unnamed]
for (const line of wrong) console.log(line)
console.log(`${files.length} files, ${wrong.length} broken links`)
process.exitCode = wrong.length === 0 ? 0 : 1
