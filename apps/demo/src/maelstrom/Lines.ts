/**
 * Text in lines, none of them longer than a bound.
 *
 * Who sends a line without end must not fill the memory. So of a line that is too long nothing is kept
 * but the fact that it was there, and reading goes on after it.
 */
import * as Stream from "effect/Stream"

/** `undefined` in the place of a line that was too long. */
export type Line = string | undefined

interface Unfinished {
  readonly text: string
  readonly isTooLong: boolean
}

const nothing: Unfinished = { text: "", isTooLong: false }

/** Splits at line feeds. A last line without one counts too; `maxLength` is in UTF-16 code units. */
export const split =
  (maxLength: number) =>
  <E, R>(text: Stream.Stream<string, E, R>): Stream.Stream<Line, E, R> =>
    Stream.mapAccum(
      text,
      () => nothing,
      (before, chunk) => {
        const lines: Array<Line> = []
        let unfinished = before
        let from = 0
        for (let end = chunk.indexOf("\n"); end !== -1; end = chunk.indexOf("\n", from)) {
          lines.push(finish(append(unfinished, chunk.slice(from, end), maxLength)))
          unfinished = nothing
          from = end + 1
        }
        return [append(unfinished, chunk.slice(from), maxLength), lines] as const
      },
      { onHalt: (unfinished) => (unfinished === nothing ? [] : [finish(unfinished)]) }
    )

const append = (unfinished: Unfinished, more: string, maxLength: number): Unfinished => {
  if (more === "" || unfinished.isTooLong) return unfinished
  return unfinished.text.length + more.length > maxLength
    ? { text: "", isTooLong: true }
    : { text: unfinished.text + more, isTooLong: false }
}

const finish = ({ text, isTooLong }: Unfinished): Line => (isTooLong ? undefined : text)
