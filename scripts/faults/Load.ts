/**
 * Writers that overwrite a set of keys again and again, until so many bytes are written. They are many callers
 * of one native client, which finds the leader by itself; a write is not tried again.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { Kv } from "../../packages/kv/src/Kv.ts"
import * as KvRemote from "../../packages/kv/src/KvRemote.ts"
import * as TcpClientTransport from "../../packages/transport-tcp/src/TcpClientTransport.ts"
import type { Node } from "./Nodes.ts"

export interface LoadOptions {
  readonly writers: number
  readonly keys: number
  readonly valueBytes: number
  readonly totalBytes: number
}

export class Load {
  writes = 0
  /** Why writes were not acknowledged, and how often. */
  readonly failures = new Map<string, number>()
  isOver = false
  private readonly options: LoadOptions
  private readonly value: Uint8Array
  private readonly client: ManagedRuntime.ManagedRuntime<Kv, unknown>

  constructor(nodes: ReadonlyArray<Node>, options: LoadOptions) {
    this.options = options
    this.value = new Uint8Array(options.valueBytes).fill(120)
    const endpoints = nodes.map((node) => node.clients)
    this.client = ManagedRuntime.make(
      KvRemote.layer({ endpoints }).pipe(Layer.provide(TcpClientTransport.layer()))
    )
  }

  get writtenBytes(): number {
    return this.writes * this.options.valueBytes
  }

  /** Writes, and ends when all is written or {@link stop} was called. */
  async run(): Promise<void> {
    await Promise.all(Array.from({ length: this.options.writers }, () => this.write()))
    this.isOver = true
  }

  stop(): void {
    this.isOver = true
  }

  async close(): Promise<void> {
    this.stop()
    await this.client.dispose()
  }

  private async write(): Promise<void> {
    while (this.writtenBytes < this.options.totalBytes && !this.isOver) {
      const key = `key-${this.writes++ % this.options.keys}`
      const exit = await this.client.runPromiseExit(Kv.use((kv) => Effect.asVoid(kv.put(key, this.value))))
      if (exit._tag === "Success") continue
      const kind = Cause.pretty(exit.cause).split("\n")[0]!.replaceAll(/\d+/g, "N")
      this.failures.set(kind, (this.failures.get(kind) ?? 0) + 1)
    }
  }
}
