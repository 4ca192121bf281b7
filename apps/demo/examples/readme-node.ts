import { Layer } from "effect"
import { Raft } from "@effect-raft/core"
import { FileStorage, NodeLogFileSystem } from "@effect-raft/storage-file"
import { TcpTransport } from "@effect-raft/transport-tcp"
import { Counter } from "./Counter.ts"

export const node = (options: {
  readonly nodeId: string // n1
  readonly members: Readonly<Record<string, string>> // n1: "127.0.0.1:7001", n2: "127.0.0.1:7002", ...
  readonly listen: string // 127.0.0.1:7001
  readonly directory: string // ./data/n1
}) =>
  Raft.layer(Counter, { nodeId: options.nodeId, members: options.members }).pipe(
    Layer.provide(TcpTransport.layer({ listen: options.listen })),
    Layer.provide(FileStorage.layer({ directory: options.directory })),
    Layer.provide(NodeLogFileSystem.layer)
  )
