/**
 * The search for an order: Wing and Gong's, with Lowe's memory, and five ways not to search.
 *
 * A configuration is what is left to place, the object's state, and which unknown operations were used.
 * From it, any operation called before the first return left may be the next to take effect. The search
 * goes deep first, keeps its own stack, and comes back when an operation has returned without a place.
 *
 * 1. An operation that changes nothing is placed as soon as it fits: later would be no better.
 * 2. Unknown operations come after all others, and only where the next operation would notice.
 * 3. Of unknown operations that do the same, the one called first stands for all.
 * 4. A configuration is skipped if one that used up fewer unknown operations failed (see `Visited`).
 * 5. So is one in which a state that is still needed cannot come about any more (see `Demand`).
 *
 * Each is sound by exchange: an order that breaks the rule can be rewritten into one that keeps it.
 * What is left to place is known from the few candidates alone, so a configuration's key is as long as
 * the concurrency, not as the history.
 *
 * Wing, Gong: "Testing and verifying concurrent objects" (1993). Lowe: "Testing for linearizability" (2016).
 */
import type { Operation } from "../History.ts"
import type { Demand } from "./Demand.ts"
import { EntryList } from "./EntryList.ts"
import type { Model, Need } from "./Model.ts"
import { Unknown } from "./Model.ts"
import type { BitSet } from "./Visited.ts"
import { emptyBits, hasBit, Visited, withBit } from "./Visited.ts"
import type * as Workload from "./Workload.ts"

/** How far an order came that could not be completed. */
export interface DeadEnd<State, Input, Output> {
  /** In the order in which they took effect, unknown ones that did included. */
  readonly placed: ReadonlyArray<Operation<Input, Output>>
  readonly state: State
  /** Those that could have come next by their times, and do not fit. */
  readonly unplaced: ReadonlyArray<Operation<Input, Output>>
  /** The one among them that returns first. */
  readonly overdue: Operation<Input, Output>
  /** Those called later that need this very state. */
  readonly needLater: ReadonlyArray<Operation<Input, Output>>
}

export type Found<State, Input, Output> =
  | {
      readonly _tag: "Order"
      readonly steps: number
      readonly order: ReadonlyArray<Operation<Input, Output>>
      /** The state at its end. */
      readonly state: State
    }
  | { readonly _tag: "NoOrder"; readonly steps: number; readonly longest: DeadEnd<State, Input, Output> }
  | { readonly _tag: "OutOfSteps"; readonly steps: number }

interface Entered<State> {
  /** The state before; none at the start. */
  readonly left: State | undefined
  readonly state: State
  readonly used: BitSet
}

interface Move<State, Input, Output> extends Entered<State> {
  /** The required operation that is placed, or -1. */
  readonly id: number
  readonly operation: Operation<Input, Output>
}

interface Frame<State, Input, Output> {
  readonly state: State
  readonly used: BitSet
  /** How many operations were placed when the configuration was entered. */
  readonly depth: number
  readonly candidates: ReadonlyArray<number>
  readonly returnsFirst: number
  moves: Array<Move<State, Input, Output>>
  nextMove: number
  hasTriedOptional: boolean
}

export const search = <State, Input, Output>(
  model: Model<State, Input, Output>,
  workload: Workload.Workload<State, Input, Output>,
  demand: Demand<State, Input, Output>,
  maxSteps: number
): Found<State, Input, Output> => new Search(model, workload, demand).run(maxSteps)

class Search<State, Input, Output> {
  private readonly model: Model<State, Input, Output>
  private readonly required: Workload.Workload<State, Input, Output>["required"]
  private readonly optional: Workload.Workload<State, Input, Output>["optional"]
  private readonly optionalCount: number
  private readonly demand: Demand<State, Input, Output>
  private readonly left: EntryList
  private readonly visited = new Visited()
  private readonly placed: Array<{ readonly id: number; readonly operation: Operation<Input, Output> }> = []
  private readonly frames: Array<Frame<State, Input, Output>> = []
  private requiredPlaced = 0
  private longest: DeadEnd<State, Input, Output> | undefined
  private longestRequired = -1
  private steps = 0

  constructor(
    model: Model<State, Input, Output>,
    workload: Workload.Workload<State, Input, Output>,
    demand: Demand<State, Input, Output>
  ) {
    this.model = model
    this.required = workload.required
    this.optional = workload.optional
    this.optionalCount = workload.optionalCount
    this.demand = demand
    this.left = new EntryList(this.required.map(({ operation }) => operation))
  }

  run(maxSteps: number): Found<State, Input, Output> {
    let entered: Entered<State> | undefined = {
      left: undefined,
      state: this.model.initial,
      used: emptyBits(this.optionalCount)
    }
    while (entered !== undefined) {
      if (this.enter(entered)) {
        const order = this.placed.map(({ operation }) => operation)
        return { _tag: "Order", steps: this.steps, order, state: entered.state }
      }
      if (this.steps > maxSteps) return { _tag: "OutOfSteps", steps: this.steps }
      entered = this.advance()
    }
    return { _tag: "NoOrder", steps: this.steps, longest: this.longest! }
  }

  /**
   * Places what changes nothing, then opens the configuration unless it is known or hopeless. True when
   * all is placed.
   */
  private enter({ left, state, used }: Entered<State>): boolean {
    if (left !== undefined && this.demand.isLost(left, state, used)) return false
    let candidates: ReadonlyArray<number>
    let returnsFirst: number
    let didPlace: boolean
    do {
      if (this.left.isEmpty) return true
      ;({ ids: candidates, returnsFirst } = this.left.candidates())
      didPlace = this.placeReadOnly(candidates, state)
    } while (didPlace)
    if (this.visited.add(`${candidates.join()}|${this.model.key(state)}`, used)) {
      this.frames.push({
        state,
        used,
        depth: this.placed.length,
        candidates,
        returnsFirst,
        moves: this.requiredMoves(candidates, state, used),
        nextMove: 0,
        hasTriedOptional: false
      })
    }
    return false
  }

  private placeReadOnly(candidates: ReadonlyArray<number>, state: State): boolean {
    let didPlace = false
    for (const id of candidates) {
      const { isReadOnly, operation } = this.required[id]!
      if (!isReadOnly || this.stepRequired(state, id) === undefined) continue
      this.place(id, operation)
      didPlace = true
    }
    return didPlace
  }

  /** Makes the next move of the newest configuration that has one. Undefined when none has. */
  private advance(): Move<State, Input, Output> | undefined {
    while (this.frames.length > 0) {
      const frame = this.frames.at(-1)!
      this.takeBackTo(frame.depth)
      if (frame.nextMove < frame.moves.length) {
        const move = frame.moves[frame.nextMove++]!
        this.place(move.id, move.operation)
        return move
      }
      if (frame.hasTriedOptional) {
        this.noteDeadEnd(frame)
        this.frames.pop()
      } else {
        frame.hasTriedOptional = true
        frame.moves = this.optionalMoves(frame)
        frame.nextMove = 0
      }
    }
    return undefined
  }

  private requiredMoves(candidates: ReadonlyArray<number>, state: State, used: BitSet) {
    const moves: Array<Move<State, Input, Output>> = []
    for (const id of candidates) {
      const after = this.stepRequired(state, id)
      if (after === undefined) continue
      moves.push({ left: state, state: after, used, id, operation: this.required[id]!.operation })
    }
    return moves
  }

  private optionalMoves(frame: Frame<State, Input, Output>): Array<Move<State, Input, Output>> {
    const deadlineNanos = this.required[frame.returnsFirst]!.operation.returnNanos
    const available = this.optional.flatMap((group) => {
      const bit = firstUnused(group, frame.used)
      const operation = group.operations[bit - group.firstBit]
      return operation !== undefined && operation.callNanos <= deadlineNanos
        ? [{ group, bit, operation }]
        : []
    })
    const isNoticed = this.noticedFrom(frame.state, [
      ...frame.candidates.map((id) => ({
        need: this.required[id]!.need,
        step: (state: State) => this.stepRequired(state, id)
      })),
      ...available.map(({ group, operation }) => ({
        need: group.need,
        step: (state: State) => this.stepOptional(state, operation)
      }))
    ])
    const moves: Array<Move<State, Input, Output>> = []
    for (const { bit, operation } of available) {
      const state = this.stepOptional(frame.state, operation)
      if (state === undefined || !isNoticed(state)) continue
      moves.push({ left: frame.state, state, used: withBit(frame.used, bit), id: -1, operation })
    }
    return moves
  }

  /**
   * Whether one of `followers` would notice a change from `before` to another state. An unknown operation
   * that the next operation does not notice could as well have been left out.
   */
  private noticedFrom(
    before: State,
    followers: ReadonlyArray<{
      readonly need: Need<State>
      readonly step: (state: State) => State | undefined
    }>
  ): (after: State) => boolean {
    const { key } = this.model
    const beforeKey = key(before)
    const wanted = new Set<string>()
    const sensitive: Array<{ step: (state: State) => State | undefined; was: string | undefined }> = []
    for (const { need, step } of followers) {
      if (need._tag === "State") wanted.add(key(need.state))
      if (need._tag === "Anything") sensitive.push({ step, was: keyOf(this.model, step(before)) })
    }
    return (after) => {
      const afterKey = key(after)
      if (afterKey === beforeKey) return false
      return (
        wanted.has(afterKey) ||
        sensitive.some(({ step, was }) => {
          const is = keyOf(this.model, step(after))
          return is !== undefined && is !== was
        })
      )
    }
  }

  private stepRequired(state: State, id: number): State | undefined {
    this.steps++
    const { operation, output } = this.required[id]!
    return this.model.step(state, operation.input, output)
  }

  private stepOptional(state: State, operation: Operation<Input, Output>): State | undefined {
    this.steps++
    return this.model.step(state, operation.input, Unknown)
  }

  private place(id: number, operation: Operation<Input, Output>): void {
    this.placed.push({ id, operation })
    if (id < 0) return
    this.left.lift(id)
    this.demand.place(id)
    this.requiredPlaced++
  }

  private takeBackTo(depth: number): void {
    while (this.placed.length > depth) {
      const { id } = this.placed.pop()!
      if (id < 0) continue
      this.left.unlift(id)
      this.demand.takeBack(id)
      this.requiredPlaced--
    }
  }

  private noteDeadEnd(frame: Frame<State, Input, Output>): void {
    if (this.requiredPlaced <= this.longestRequired) return
    this.longestRequired = this.requiredPlaced
    this.longest = {
      placed: this.placed.map(({ operation }) => operation),
      state: frame.state,
      unplaced: frame.candidates.map((id) => this.required[id]!.operation),
      overdue: this.required[frame.returnsFirst]!.operation,
      needLater: this.demand.openFor(frame.state).map((id) => this.required[id]!.operation)
    }
  }
}

const keyOf = <State, Input, Output>(
  model: Model<State, Input, Output>,
  state: State | undefined
): string | undefined => (state === undefined ? undefined : model.key(state))

const firstUnused = <State, Input, Output>(
  group: Workload.Optional<State, Input, Output>,
  used: BitSet
): number => {
  let bit = group.firstBit
  while (bit < group.firstBit + group.operations.length && hasBit(used, bit)) bit++
  return bit
}
