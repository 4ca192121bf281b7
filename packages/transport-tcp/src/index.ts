/**
 * @effect-raft/transport-tcp: Raft peers over TCP.
 */
export * as MessageCodec from "./MessageCodec.ts"
export * as SecureHttpServer from "./SecureHttpServer.ts"
export * as TcpTransport from "./TcpTransport.ts"
export * as TcpClientServer from "./TcpClientServer.ts"
export * as TcpClientTransport from "./TcpClientTransport.ts"
