/**
 * The tests that a Markdown text names: links to test files, with the words that name a test in them. A
 * guide that says how a promise is tested must not outlive the test.
 */

export interface TestLink {
  /** What is named: a part of the title of a test, or of a group of tests. */
  readonly words: string
  readonly target: string
}

/** Links to test files, but for those that name the file only. */
export const testLinks = (markdown: string): ReadonlyArray<TestLink> =>
  Array.from(markdown.matchAll(/\[([^\]]+)\]\(([^)\s]+\.test\.ts)\)/g), ([, words = "", target = ""]) => ({
    words,
    target
  })).filter(({ words }) => / /.test(words))
