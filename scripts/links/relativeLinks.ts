/**
 * The links of a Markdown text that lead to files beside it: no URLs, no anchors, nothing inside code.
 */
export const relativeLinks = (markdown: string): ReadonlyArray<string> =>
  Array.from(withoutCode(markdown).matchAll(/\]\(([^)\s]+)\)/g), ([, target]) => target ?? "")
    .map((target) => decodeURI(target.replace(/#.*$/, "")))
    .filter((target) => target !== "" && !/^[a-z]+:/i.test(target))

const withoutCode = (markdown: string): string =>
  markdown.replaceAll(/^```[\s\S]*?^```/gm, "").replaceAll(/`[^`\n]*`/g, "")
