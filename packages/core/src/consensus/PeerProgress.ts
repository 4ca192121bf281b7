/**
 * What a leader knows of all its peers: a {@link Progress} for each.
 *
 * Immutable, and made anew with every answer of a peer, so it is two short arrays: to copy one of them takes a
 * tenth of what a `Map` takes, and to look through a handful of names no longer than to look one up.
 */
import type { NodeId } from "../NodeId.ts"
import type { Progress } from "./Progress.ts"

export class PeerProgress {
  /** In the order in which they came. Shared by all tables of the same peers. */
  readonly peers: ReadonlyArray<NodeId>
  /** Of `peers[i]`. */
  private readonly all: ReadonlyArray<Progress>

  private constructor(peers: ReadonlyArray<NodeId>, all: ReadonlyArray<Progress>) {
    this.peers = peers
    this.all = all
  }

  /** All of these, of whom the same is known. */
  static of(peers: ReadonlyArray<NodeId>, progress: Progress): PeerProgress {
    return new PeerProgress(
      peers,
      peers.map(() => progress)
    )
  }

  get size(): number {
    return this.peers.length
  }

  get(peer: NodeId): Progress | undefined {
    const at = this.peers.indexOf(peer)
    return at === -1 ? undefined : this.all[at]
  }

  /** With what is known of `peer` now; one that is not among them comes last. */
  with(peer: NodeId, progress: Progress): PeerProgress {
    const at = this.peers.indexOf(peer)
    if (at === -1) return new PeerProgress([...this.peers, peer], [...this.all, progress])
    const all = this.all.slice()
    all[at] = progress
    return new PeerProgress(this.peers, all)
  }

  /** With something else for each. */
  map(change: (progress: Progress) => Progress): PeerProgress {
    return new PeerProgress(this.peers, this.all.map(change))
  }

  /** Those peers of whom this holds, with what is known of them. */
  filter(holds: (progress: Progress, peer: NodeId) => boolean): PeerProgress {
    const isKept = this.all.map((progress, at) => holds(progress, this.peers[at]!))
    return new PeerProgress(
      this.peers.filter((_, at) => isKept[at]),
      this.all.filter((_, at) => isKept[at])
    )
  }

  values(): ReadonlyArray<Progress> {
    return this.all
  }
}
