/**
 * Which node a client asks next.
 *
 * It goes round the endpoints that it was given, and follows a node's word about where the leader is, also
 * to an address that is new to it: the handshake shows whether the right cluster answers there. A hint that
 * led nowhere is not followed again for a while, for others may reach an address that this client cannot.
 */

/** Setbacks during which a hint that failed is not followed again, for each endpoint. */
const suspicionRounds = 2

export class Endpoints {
  private readonly given: ReadonlyArray<string>
  private at = 0
  /** How often another one was looked for. */
  private asked = 0
  private hint: string | undefined
  /** Setbacks so far: a clock of its own. */
  private setbacks = 0
  private readonly suspectedUntil = new Map<string, number>()

  constructor(given: ReadonlyArray<string>) {
    this.given = given
  }

  get size(): number {
    return this.given.length
  }

  /** The next to ask. */
  next(): string {
    const hint = this.hint
    this.hint = undefined
    if (hint !== undefined) return hint
    const endpoint = this.given[this.at % this.given.length] ?? ""
    this.at += 1
    return endpoint
  }

  /** One of those given, another each time, and not this one; `undefined` where there is no other. */
  otherThan(endpoint: string): string | undefined {
    const others = this.given.filter((given) => given !== endpoint)
    return others[this.asked++ % others.length]
  }

  /** Somebody says that the leader is at `endpoint`. Tells whether that will be followed. */
  follow(endpoint: string | null): boolean {
    if (endpoint === null || (this.suspectedUntil.get(endpoint) ?? 0) > this.setbacks) return false
    this.hint = endpoint
    return true
  }

  /** `endpoint` could not be reached, or could not serve. */
  failed(endpoint: string): void {
    this.setbacks += 1
    // Where it was in use so far, it is not the one to be asked first now.
    if (this.given[this.at % this.given.length] === endpoint) this.at += 1
    if (this.suspectedUntil.size > this.given.length * 4) this.suspectedUntil.clear()
    this.suspectedUntil.set(endpoint, this.setbacks + suspicionRounds * this.given.length)
  }

  /** `endpoint` has served: it is asked again first. */
  served(endpoint: string): void {
    this.suspectedUntil.delete(endpoint)
    const place = this.given.indexOf(endpoint)
    if (place >= 0) this.at = place
  }
}
