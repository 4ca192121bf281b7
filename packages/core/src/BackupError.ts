/** Why bytes cannot be read as a backup. */
import * as Schema from "effect/Schema"

/** The first bytes are not those of a backup. */
export class NotABackup extends Schema.TaggedError<NotABackup>()("NotABackup", {}) {
  override get message() {
    return "this is no backup of effect-raft"
  }
}

/** A newer program made it. */
export class NewerBackup extends Schema.TaggedError<NewerBackup>()("NewerBackup", {
  found: Schema.Natural,
  supported: Schema.Natural
}) {
  override get message() {
    return `it has format version ${this.found}; this program reads up to ${this.supported}. Use a newer one`
  }
}

/** It ends before its end: it was copied in part, or the node that sent it stopped half-way. */
export class CutOff extends Schema.TaggedError<CutOff>()("CutOff", { atByte: Schema.Natural }) {
  override get message() {
    return `it ends at byte ${this.atByte}, before its end: it is only a part of a backup. Use another one`
  }
}

/** Bytes are not those that were written. */
export class Damaged extends Schema.TaggedError<Damaged>()("Damaged", {
  /** Where the damaged part begins. */
  atByte: Schema.Natural,
  detail: Schema.String
}) {
  override get message() {
    return `it is damaged in the part from byte ${this.atByte} on: ${this.detail}. Use another one`
  }
}

export class BackupError extends Schema.TaggedError<BackupError>()("BackupError", {
  reason: Schema.Union([NotABackup, NewerBackup, CutOff, Damaged])
}) {
  override get message() {
    return this.reason.message
  }
}
