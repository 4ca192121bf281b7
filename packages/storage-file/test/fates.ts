/** What can become of bytes and names that were not synced when the power fails. */
import type { StorageError } from "@effect-raft/core/RaftStorage"
import type { RestartOptions } from "@effect-raft/storage-file/MemoryLogFileSystem"

export const fates: ReadonlyArray<readonly [name: string, RestartOptions]> = [
  ["all lost", { bytes: { firstBytes: 0 }, names: "Lost" }],
  ["all kept", { bytes: { firstBytes: Infinity }, names: "Kept" }],
  ["bytes kept, names lost", { bytes: { firstBytes: Infinity }, names: "Lost" }],
  ["names kept, bytes lost", { bytes: { firstBytes: 0 }, names: "Kept" }],
  ...[1, 7, 63, 64, 65, 100, 511, 512, 513, 1400].map(
    (firstBytes) => [`torn after ${firstBytes} bytes`, { bytes: { firstBytes }, names: "Kept" }] as const
  ),
  ["every other sector", { bytes: { sectors: (sector) => sector % 2 === 0 }, names: "Kept" }],
  ["the other sectors", { bytes: { sectors: (sector) => sector % 2 === 1 }, names: "Lost" }],
  [
    "names made kept, names removed not",
    { bytes: { firstBytes: 0 }, names: (name) => name.endsWith(".snapshot") || name.endsWith("1.wal") }
  ],
  ["names of segments lost", { bytes: { firstBytes: Infinity }, names: (name) => !name.endsWith(".wal") }],
  ["every other name lost", { bytes: { firstBytes: 100 }, names: (name) => /[13579]\.wal$/.test(name) }],
  ["two of three sectors", { bytes: { sectors: (sector) => sector % 3 !== 0 }, names: "Kept" }]
]

export const isPowerOff = (error: StorageError) =>
  error.reason._tag === "IoFailed" && error.reason.detail.includes("power")
