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
import type { Optional, Workload } from "./Workload.ts"

/** How many of the operations that need a state are looked at in each step, those that return first. */
const lookahead = 8

/** One needed state. */
interface Wanted<State> {
  readonly state: State
  readonly key: string
  /** The operations that need it. */
  readonly by: Array<number>
  /** How many of them are not placed. */
  open: number
  /** How it may come about; found when first asked for. */
  sources: Sources | undefined
}

interface Sources {
  /** Operations that have it as their result. */
  readonly direct: Operations
  /** Operations that can be the last step of growth to it. */
  readonly last: Operations
  /** Operations from whose result it can grow; found when first asked for. */
  bases: Operations | undefined
}

interface Operations {
  readonly required: Array<number>
  /** The last bit of each group: while it is unused, there is one left. */
  readonly optionalBits: Array<number>
}

const noOperations: Operations = { required: [], optionalBits: [] }

/** A state that only one operation can bring about, and that operation where it must be placed. */
export interface Unique {
  readonly origin: number | undefined
  readonly neededBy: ReadonlyArray<number>
}

export class Demand<State, Input, Output> {
  private readonly model: Model<State, Input, Output>
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
  private readonly byResult = new Map<string, { readonly result: State; readonly operations: Operations }>()
  private readonly growers: Array<{ readonly input: Input; readonly operations: Operations }> = []

  constructor(model: Model<State, Input, Output>, { required, optional }: Workload<State, Input, Output>) {
    this.model = model
    this.optional = optional
    this.isPlaced = new Uint8Array(required.length)
    this.wantedBy = required.map(({ need }, id) =>
      need._tag === "State" ? this.want(need.state, id) : undefined
    )
    this.byReturn = required
      .flatMap((_, id) => (this.wantedBy[id] === undefined ? [] : [id]))
      .sort((a, b) => required[a]!.operation.returnNanos - required[b]!.operation.returnNanos)
    this.rank = new Int32Array(required.length)
    for (const [rank, id] of this.byReturn.entries()) this.rank[id] = rank
    for (const [id, operation] of required.entries()) {
      this.addSource(operation.operation.input, operation, { required: [id], optionalBits: [] })
    }
    for (const group of optional) {
      const lastBit = group.firstBit + group.operations.length - 1
      this.addSource(group.operations[0]!.input, group, { required: [], optionalBits: [lastBit] })
    }
    const { canComplete, canGrow } = model
    this.isBlindfolded = this.growers.length > 0 && (canGrow === undefined || canComplete === undefined)
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
    this.skipPlaced()
    let looked = 0
    for (let rank = this.firstOpen; rank < this.byReturn.length && looked < lookahead; rank++) {
      const id = this.byReturn[rank]!
      if (this.isPlaced[id]) continue
      looked++
      if (this.isOut(this.wantedBy[id], state, key, used)) return true
    }
    return false
  }

  /** The operations not yet placed that need a state. */
  openFor(state: State): Array<number> {
    const wanted = this.wanted.get(this.model.key(state))
    return wanted === undefined ? [] : wanted.by.filter((id) => !this.isPlaced[id])
  }

  /** The needed states that can come about only once, by one operation. */
  unique(): Array<Unique> {
    if (this.isBlindfolded) return []
    const initialKey = this.model.key(this.model.initial)
    return [...this.wanted.values()].flatMap((wanted) => {
      const { direct, last } = (wanted.sources ??= this.sourcesOf(wanted))
      const required = [...direct.required, ...last.required]
      const optional = [...direct.optionalBits, ...last.optionalBits]
      const isUnique = required.length + optional.length === 1 && this.isSingle(optional[0])
      if (wanted.key === initialKey || !isUnique) return []
      return [{ origin: required[0], neededBy: wanted.by }]
    })
  }

  private want(state: State, id: number): Wanted<State> {
    const key = this.model.key(state)
    let wanted = this.wanted.get(key)
    if (wanted === undefined)
      this.wanted.set(key, (wanted = { state, key, by: [], open: 0, sources: undefined }))
    wanted.by.push(id)
    wanted.open++
    return wanted
  }

  private skipPlaced(): void {
    while (this.firstOpen < this.byReturn.length && this.isPlaced[this.byReturn[this.firstOpen]!])
      this.firstOpen++
  }

  private isOut(wanted: Wanted<State> | undefined, state: State, key: string, used: BitSet): boolean {
    if (wanted === undefined || wanted.open === 0 || wanted.key === key) return false
    const { direct, last } = (wanted.sources ??= this.sourcesOf(wanted))
    if (this.hasLeft(direct, used)) return false
    if (!this.hasLeft(last, used)) return true
    return (
      !this.model.canGrow!(state, wanted.state) && !this.hasLeft(this.basesOf(wanted, wanted.sources), used)
    )
  }

  private hasLeft({ required, optionalBits }: Operations, used: BitSet): boolean {
    return required.some((id) => !this.isPlaced[id]) || optionalBits.some((bit) => !hasBit(used, bit))
  }

  private sourcesOf({ state, key }: Wanted<State>): Sources {
    return {
      direct: this.byResult.get(key)?.operations ?? noOperations,
      last: union(this.growers.filter(({ input }) => this.model.canComplete!(input, state))),
      bases: undefined
    }
  }

  private basesOf({ state }: Wanted<State>, sources: Sources): Operations {
    return (sources.bases ??= union(
      [...this.byResult.values()].filter(({ result }) => this.model.canGrow!(result, state))
    ))
  }

  private addSource(
    input: Input,
    { isReadOnly, result }: { readonly isReadOnly: boolean; readonly result: State | undefined },
    operations: Operations
  ): void {
    if (isReadOnly) return
    if (result === undefined) {
      this.growers.push({ input, operations })
      return
    }
    const key = this.model.key(result)
    const known = this.byResult.get(key)?.operations ?? { required: [], optionalBits: [] }
    known.required.push(...operations.required)
    known.optionalBits.push(...operations.optionalBits)
    this.byResult.set(key, { result, operations: known })
  }

  /** Whether there is only one operation in the group with this last bit. */
  private isSingle(lastBit: number | undefined): boolean {
    return (
      lastBit === undefined ||
      this.optional.some((group) => group.firstBit === lastBit && group.operations.length === 1)
    )
  }
}

const union = (sources: ReadonlyArray<{ readonly operations: Operations }>): Operations => ({
  required: sources.flatMap(({ operations }) => operations.required),
  optionalBits: sources.flatMap(({ operations }) => operations.optionalBits)
})
