/**
 * The public modules of the core, one namespace each.
 */
export * as LogEntry from "./LogEntry.ts"
export * as LogIndex from "./LogIndex.ts"
export * as Membership from "./Membership.ts"
export * as MemoryStorage from "./MemoryStorage.ts"
export * as MemoryTransport from "./MemoryTransport.ts"
export * as NodeId from "./NodeId.ts"
export * as Raft from "./Raft.ts"
export * as RaftConfig from "./RaftConfig.ts"
export * as RaftError from "./RaftError.ts"
export * as RaftMessage from "./RaftMessage.ts"
export * as RaftStorage from "./RaftStorage.ts"
export * as RaftTrace from "./RaftTrace.ts"
export * as RaftTransport from "./RaftTransport.ts"
export * as StateMachine from "./StateMachine.ts"
export * as Term from "./Term.ts"
