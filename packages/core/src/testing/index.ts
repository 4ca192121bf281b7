/**
 * The testing kit: clusters in memory, faults from a seed, the paper's properties checked at every step,
 * and one contract suite for each port.
 */
export * as FaultyDisk from "./FaultyDisk.ts"
export * as History from "./History.ts"
export * as Invariants from "./Invariants.ts"
export * as KvHistory from "./KvHistory.ts"
export * as KvModel from "./KvModel.ts"
export * as Linearizability from "./Linearizability.ts"
export * as LinkFaults from "./LinkFaults.ts"
export * as LocalSessions from "./LocalSessions.ts"
export * as MemoryDisk from "./MemoryDisk.ts"
export * as MemoryNetwork from "./MemoryNetwork.ts"
export * as RaftClientTransportContract from "./RaftClientTransportContract.ts"
export * as RaftStorageContract from "./RaftStorageContract.ts"
export * as RaftTest from "./RaftTest.ts"
export * as RaftTransportContract from "./RaftTransportContract.ts"
export * as RegisterModel from "./RegisterModel.ts"
export * as Simulate from "./Simulate.ts"
export * as Simulation from "./Simulation.ts"
export * as SimulationRuntime from "./SimulationRuntime.ts"
export * as StateMachineContract from "./StateMachineContract.ts"
export * as StorageWitness from "./StorageWitness.ts"
