/**
 * The public modules of the key-value package, one namespace each.
 */
export * as Kv from "./Kv.ts"
export * as KvApi from "./KvApi.ts"
export * as KvClient from "./KvClient.ts"
export * as KvCommand from "./KvCommand.ts"
export * as KvEndpoints from "./KvEndpoints.ts"
export * as KvError from "./KvError.ts"
export * as KvKey from "./KvKey.ts"
export * as KvMachine from "./KvMachine.ts"
export * as KvMetrics from "./KvMetrics.ts"
export * as KvQuery from "./KvQuery.ts"
export * as KvServer from "./KvServer.ts"
