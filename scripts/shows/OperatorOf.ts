/** How a show asks the cluster for changes: as the commands do, through whichever node answers. */
import * as Option from "effect/Option"
import type { Place } from "./Processes.ts"

/** Operators may take their time; a change that is refused for the moment is asked for again. */
const timeoutMillis = 20_000

export const operatorOf = (places: ReadonlyArray<Place>) => ({
  endpoints: places.map(({ url }) => url),
  timeoutMillis,
  tls: { certificate: Option.none<string>(), key: Option.none<string>(), authority: Option.none<string>() }
})
