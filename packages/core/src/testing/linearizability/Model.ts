/**
 * What a checker must know about an object: its sequential behaviour, and, if it is to be quick, a few
 * hints about which operations can matter to which.
 */
import type { Operation } from "../History.ts"

/** Stands for the output of an operation of which nobody knows how it ended. */
export const Unknown: unique symbol = Symbol("Unknown")
export type Unknown = typeof Unknown

/** What an operation with a given output needs of the state before it. */
export type Need<State> =
  /** Nothing: it is possible in every state, and the state after it is always the same. */
  | { readonly _tag: "Nothing" }
  /** Exactly this state. In any other it is impossible or, if its outcome is unknown, changes nothing. */
  | { readonly _tag: "State"; readonly state: State }
  /** Nothing more is known. */
  | { readonly _tag: "Anything" }

/** The operations of one independent part of an object, such as one key. */
export interface Part<Input, Output> {
  readonly name: string
  readonly operations: ReadonlyArray<Operation<Input, Output>>
}

export interface Model<State, Input, Output> {
  readonly initial: State

  /**
   * The state after an operation, or `undefined` where the operation cannot have had this output in this
   * state. Deterministic, and it changes neither state nor input. With `Unknown` the output is left open.
   */
  readonly step: (state: State, input: Input, output: Output | Unknown) => State | undefined

  /** A text that two states share if, and only if, they are equal. */
  readonly key: (state: State) => string

  /** Splits a history into parts that do not affect each other. Without it, there is one part. */
  readonly partition?: (
    operations: ReadonlyArray<Operation<Input, Output>>
  ) => ReadonlyArray<Part<Input, Output>>

  /**
   * A model that gives the same verdict about these operations, and is quicker: it may take for one what
   * they cannot tell apart, and may refuse an unknown operation where leaving it out does no harm.
   */
  readonly narrow?: (operations: ReadonlyArray<Operation<Input, Output>>) => Model<State, Input, Output>

  /** Whether an operation with this output leaves every state as it is. Default: no. */
  readonly isReadOnly?: (input: Input, output: Output | Unknown) => boolean

  /** What an operation with this output needs of the state. Default: anything. */
  readonly needs?: (input: Input, output: Output | Unknown) => Need<State>

  /**
   * The state after an operation with this output, where that is the same from every state in which the
   * operation is possible and does anything. Default: it is not.
   */
  readonly result?: (input: Input, output: Output | Unknown) => State | undefined

  /**
   * For operations without a `result`, such as an append: whether they can, one after another, lead from
   * one state to another, and whether after one of them the state can be `to`. Default: they may.
   */
  readonly canGrow?: (from: State, to: State) => boolean
  readonly canComplete?: (input: Input, to: State) => boolean

  /** Inputs with the same text do the same. Default: no two do. */
  readonly inputKey?: (input: Input) => string

  /** For people. Default: as JSON. */
  readonly describe?: (input: Input, output: Output | Unknown) => string
  readonly describeState?: (state: State) => string
}
