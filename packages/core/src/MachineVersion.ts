/**
 * Which version of a state machine the whole group runs. It is switched at one index of the log, by an entry
 * of the kind `Upgrade`, so that every copy behaves the same from the same command on, whichever program
 * applies it.
 *
 * The payload is the new version, a little-endian float64.
 */
import * as Schema from "effect/Schema"

/** The name under which a node tells its peers, in the transport's attributes, what version it can run. */
export const attribute = "machineVersion"

/** The version that a peer's attributes tell of; 0 where they tell of none. */
export const ofAttributes = (attributes: Readonly<Record<string, string>>): number => {
  const version = Number(attributes[attribute] ?? "0")
  return Number.isSafeInteger(version) && version >= 0 ? version : 0
}

export const toPayload = (version: number): Uint8Array => {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setFloat64(0, version, true)
  return bytes
}

/** An entry of the kind `Upgrade` that names no version. */
export class MalformedUpgrade extends Schema.TaggedError<MalformedUpgrade>()("MalformedUpgrade", {
  bytes: Schema.Natural
}) {
  override get message() {
    return `An entry that switches the machine's version cannot be read: it has ${this.bytes} bytes`
  }
}

/** Reads {@link toPayload}; throws {@link MalformedUpgrade}. */
export const fromPayload = (payload: Uint8Array): number => {
  const bytes = payload.byteLength
  const version = bytes === 8 ? new DataView(payload.buffer, payload.byteOffset).getFloat64(0, true) : -1
  if (!Number.isSafeInteger(version) || version < 0) throw new MalformedUpgrade({ bytes })
  return version
}
