/** The Raft log in files. */
export * as FileStorage from "./FileStorage.ts"
export * as Inspect from "./Inspect.ts"
export * as InspectionReport from "./InspectionReport.ts"
export * as LogFileSystem from "./LogFileSystem.ts"
export * as MemoryLogFileSystem from "./MemoryLogFileSystem.ts"
export * as NodeLogFileSystem from "./NodeLogFileSystem.ts"
export * as Recover from "./Recover.ts"
export * as Restore from "./Restore.ts"
