/**
 * What stands on a snapshot: "the latest configuration in the log as of last included index" (paper, section 7).
 */
import { describe, expect, it } from "vitest"
import * as Configurations from "../../src/consensus/Configurations.ts"
import * as SnapshotLabel from "../../src/internal/SnapshotLabel.ts"
import * as Build from "./Build.ts"
import { index, term } from "./Harness.ts"

const three = Build.membership({ voters: 3 })
const four = Build.membership({ voters: 4 })
const configurations = Configurations.append(
  Configurations.beginning({ index: index(0), membership: three }),
  [Build.configuration({ index: 5, term: 1 }, four)]
)

const placeAt = (place: number) => ({ index: index(place), term: term(1), timestampMillis: 0 })

const labelAt = (place: number, sessionBytes = 0, machineVersion = 0) =>
  SnapshotLabel.of(Build.id("n1"), 7, configurations, placeAt(place), {
    sessionBytes,
    machineVersion,
    pieces: []
  })

describe("a snapshot's label", () => {
  it("has the membership in force at its last entry, and none that came later", () => {
    expect(labelAt(4).membership).toEqual(three)
    expect(labelAt(5).membership).toEqual(four)
    expect(labelAt(6).membership).toEqual(four)
  })

  it("cannot be made by who joined, of a time before it knows the members", () => {
    const nobody = Build.membership({ voters: 0 })
    const joined = Configurations.append(Configurations.beginning({ index: index(0), membership: nobody }), [
      Build.configuration({ index: 5, term: 1 }, four)
    ])
    const possible = [4, 5, 6].filter((place) => SnapshotLabel.isPossible(joined, placeAt(place)))
    expect(possible).toEqual([5, 6])
  })

  it("tells of sessions and of the machine's version only where there are any", () => {
    expect(
      Object.keys(labelAt(4)).filter((key) => key === "sessionBytes" || key === "machineVersion")
    ).toEqual([])
    expect(labelAt(4, 10, 2)).toMatchObject({ sessionBytes: 10, machineVersion: 2 })
  })
})
