/**
 * Which states are still needed, and whether they can still come about.
 *
 * A read of a value needs the state with that value. While such a read is not placed, the search must not
 * leave the state if nothing can bring it back. Without this rule a wrong order is noticed only when the
 * read has returned, and all orders of everything in between are tried in vain.
 *
 * An answer of "lost" is certain; states that are not asked for, or of which the model does not say how
 * they come about, count as reachable.
 */
import type { Model } from "./Model.ts"
import type { BitSet } from "./Visited.ts"
import { hasBit } from "./Visited.ts"
import type { Optional, Required, Workload } from "./Workload.ts"

/** One needed state. */
interface Wanted<State> {
  readonly state: State
  readonly key: string
  /** How many operations that need it are not placed. */
  open: number
  /** The operations after which it may come about; found when first asked for. */
  sources: Sources | undefined
}

interface Sources {
  readonly required: ReadonlyArray<number>
  /** The last bit of each group: while it is unused, there is one left. */
  readonly optionalBits: ReadonlyArray<number>
}

export class Demand<State, Input, Output> {
  private readonly model: Model<State, Input, Output>
  private readonly required: ReadonlyArray<Required<State, Input, Output>>
  private readonly optional: ReadonlyArray<Optional<State, Input, Output>>
  private readonly wanted = new Map<string, Wanted<State>>()
  private readonly wantedBy: ReadonlyArray<Wanted<State> | undefined>
  private readonly isPlaced: Uint8Array
  /** Those that need a state, by return; before `firstOpen` all are placed. */
  private readonly byReturn: ReadonlyArray<number>
  private readonly rank: Int32Array
  private firstOpen = 0
  /** Whether states come about in ways that the model does not tell. */
  private readonly isBlindfolded: boolean
  private readonly hasGrowth: boolean

  constructor(model: Model<State, Input, Output>, { required, optional }: Workload<State, Input, Output>) {
    this.model = model
    this.required = required
    this.optional = optional
    this.isPlaced = new Uint8Array(required.length)
    this.wantedBy = required.map(({ need }) => (need._tag === "State" ? this.want(need.state) : undefined))
    this.byReturn = required
      .flatMap((_, id) => (this.wantedBy[id] === undefined ? [] : [id]))
      .sort((a, b) => required[a]!.operation.returnNanos - required[b]!.operation.returnNanos)
    this.rank = new Int32Array(required.length)
    for (const [rank, id] of this.byReturn.entries()) this.rank[id] = rank
    this.hasGrowth = [...required, ...optional].some(
      ({ isReadOnly, result }) => !isReadOnly && result === undefined
    )
    this.isBlindfolded = this.hasGrowth && model.canGrow === undefined
  }

  place(id: number): void {
    this.isPlaced[id] = 1
    const wanted = this.wantedBy[id]
    if (wanted !== undefined) wanted.open--
  }

  takeBack(id: number): void {
    this.isPlaced[id] = 0
    const wanted = this.wantedBy[id]
    if (wanted === undefined) return
    wanted.open++
    this.firstOpen = Math.min(this.firstOpen, this.rank[id]!)
  }

  /** Whether a needed state, the one just left or the one needed first, can surely not come any more. */
  isLost(left: State | undefined, state: State, used: BitSet): boolean {
    if (this.isBlindfolded) return false
    const key = this.model.key(state)
    if (left !== undefined && this.isOut(this.wanted.get(this.model.key(left)), state, key, used)) return true
    return this.isOut(this.neededFirst(), state, key, used)
  }

  /** The operations not yet placed that need a state. */
  openFor(state: State): Array<number> {
    const wanted = this.wanted.get(this.model.key(state))
    return this.byReturn.filter(
      (id) => wanted !== undefined && this.wantedBy[id] === wanted && !this.isPlaced[id]
    )
  }

  private want(state: State): Wanted<State> {
    const key = this.model.key(state)
    let wanted = this.wanted.get(key)
    if (wanted === undefined) this.wanted.set(key, (wanted = { state, key, open: 0, sources: undefined }))
    wanted.open++
    return wanted
  }

  private neededFirst(): Wanted<State> | undefined {
    while (this.firstOpen < this.byReturn.length && this.isPlaced[this.byReturn[this.firstOpen]!])
      this.firstOpen++
    const id = this.byReturn[this.firstOpen]
    return id === undefined ? undefined : this.wantedBy[id]
  }

  private isOut(wanted: Wanted<State> | undefined, state: State, key: string, used: BitSet): boolean {
    if (wanted === undefined || wanted.open === 0 || wanted.key === key) return false
    if (this.canGrow(state, wanted.state)) return false
    const { required, optionalBits } = (wanted.sources ??= this.sourcesOf(wanted))
    return required.every((id) => this.isPlaced[id]) && optionalBits.every((bit) => hasBit(used, bit))
  }

  private sourcesOf(wanted: Wanted<State>): Sources {
    const isSource = ({ result }: { readonly result: State | undefined }) =>
      result !== undefined && (this.model.key(result) === wanted.key || this.canGrow(result, wanted.state))
    return {
      required: this.required.flatMap((operation, id) => (isSource(operation) ? [id] : [])),
      optionalBits: this.optional
        .filter(isSource)
        .map(({ firstBit, operations }) => firstBit + operations.length - 1)
    }
  }

  private canGrow(from: State, to: State): boolean {
    return this.hasGrowth && this.model.canGrow!(from, to)
  }
}
