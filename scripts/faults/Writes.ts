/**
 * Writers that go on whatever happens, and remember what was acknowledged: the measure of every fault run.
 */
import { setTimeout as sleep } from "node:timers/promises"
import type { Node } from "./Nodes.ts"
import { Broken } from "./Report.ts"

export interface Writes {
  /** Keys and the revisions under which they were acknowledged. */
  readonly acknowledged: ReadonlyMap<string, number>
  /** Waits until so many more were acknowledged. */
  readonly more: (count: number) => Promise<void>
  readonly stop: () => Promise<void>
}

const valueOf = (key: string): string => `value of ${key}`.padEnd(200, ".")

/** Writes a new key at a time through each of these nodes, again and again where one does not answer. */
export const begin = (nodes: ReadonlyArray<Node>, name: string): Writes => {
  const acknowledged = new Map<string, number>()
  let isStopped = false
  const write = async (node: Node, writer: number): Promise<void> => {
    for (let count = 0; !isStopped; count++) {
      const key = `${name}-${writer}-${count}`
      const revision = await put(node, key)
      if (revision === undefined) await sleep(20)
      else acknowledged.set(key, revision)
    }
  }
  const writers = nodes.map(write)
  return {
    acknowledged,
    more: async (count) => {
      const target = acknowledged.size + count
      const begunAt = Date.now()
      while (acknowledged.size < target) {
        if (Date.now() - begunAt > 60_000)
          throw new Broken(`in a minute not ${count} writes were acknowledged`)
        await sleep(20)
      }
    },
    stop: async () => {
      isStopped = true
      await Promise.all(writers)
    }
  }
}

const put = async (node: Node, key: string): Promise<number | undefined> => {
  try {
    const request = { method: "PUT", body: valueOf(key), signal: AbortSignal.timeout(5_000) }
    const response = await fetch(`${node.url}/kv/${key}`, request)
    return response.status === 200
      ? ((await response.json()) as { readonly revision: number }).revision
      : void (await response.text())
  } catch {
    // No answer: it may have been written or not, so nobody may count on it.
    return undefined
  }
}

/** How many of the acknowledged keys a node does not have as they were acknowledged, by what it has itself. */
export const missingFrom = async (
  node: Node,
  acknowledged: ReadonlyMap<string, number>
): Promise<ReadonlyArray<string>> => {
  const missing: Array<string> = []
  for (const [key, revision] of acknowledged) {
    const response = await fetch(`${node.url}/kv/${key}?consistency=stale`)
    const text = await response.text()
    if (text !== valueOf(key) || response.headers.get("etag") !== `"${revision}"`) missing.push(key)
  }
  return missing
}
