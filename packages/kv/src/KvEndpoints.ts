/**
 * Which node a client asks next.
 *
 * It stays with the node that answered last, goes to the leader where an answer named it, and goes on
 * to the next node where one fails. A node that failed is not believed to be the leader for a while:
 * others may reach it where this client cannot.
 */
import * as Schema from "effect/Schema"

/** How long after a failure a node is not taken as the leader, in milliseconds. */
const suspicionMillis = 5000

/** The client was given no nodes, or something that is no URL. */
export class EndpointsInvalid extends Schema.TaggedError<EndpointsInvalid>()("EndpointsInvalid", {
  detail: Schema.String
}) {
  override get message() {
    return `Invalid endpoints: ${this.detail}; expected URLs such as http://127.0.0.1:7101`
  }
}

export interface KvEndpoints {
  /** The node to ask now. */
  readonly current: () => string
  /** `endpoint` answered, and named `leader`. */
  readonly answered: (endpoint: string, leader: string | undefined, nowMillis: number) => void
  /** `endpoint` could not be reached or could not serve. */
  readonly failed: (endpoint: string, nowMillis: number) => void
  /** How many nodes there are. */
  readonly size: number
}

/** Keeps count of the nodes of one client, or says why the URLs are none. */
export const make = (urls: ReadonlyArray<string>): KvEndpoints | EndpointsInvalid => {
  const wrong = urls.find((url) => normalized(url) === undefined)
  if (wrong !== undefined) return new EndpointsInvalid({ detail: `"${wrong}" is no http URL` })
  const endpoints = Array.from(new Set(urls.map((url) => normalized(url)!)))
  if (endpoints.length === 0) return new EndpointsInvalid({ detail: "there is none" })

  let preferred = endpoints[0]!
  const suspectedUntilMillis = new Map<string, number>()

  return {
    size: endpoints.length,
    current: () => preferred,
    answered: (endpoint, leader, nowMillis) => {
      preferred = endpoint
      const named = leader === undefined ? undefined : normalized(leader)
      // Only a node that the client was told of is followed: addresses may mean something else here.
      if (named === undefined || !endpoints.includes(named)) return
      if ((suspectedUntilMillis.get(named) ?? 0) <= nowMillis) preferred = named
    },
    failed: (endpoint, nowMillis) => {
      suspectedUntilMillis.set(endpoint, nowMillis + suspicionMillis)
      if (preferred === endpoint) {
        preferred = endpoints[(endpoints.indexOf(endpoint) + 1) % endpoints.length]!
      }
    }
  }
}

/** The URL without a slash at its end; `undefined` where it is no http URL. */
const normalized = (url: string): string | undefined => {
  if (!URL.canParse(url)) return undefined
  const { origin, pathname, protocol } = new URL(url)
  return protocol === "http:" || protocol === "https:" ? origin + pathname.replace(/\/+$/, "") : undefined
}
