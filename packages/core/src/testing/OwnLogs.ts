/**
 * Nodes of one process as if each had the memory of its log for itself, as nodes over sockets and files have.
 *
 * In one process a block that a leader made would be the same in every log and on every disk. Here transport and store
 * give and take copies, so that nodes use their memory again (`internal/ReusedMemory`), in chunks so small that it
 * happens all the time. Whoever looks at a block too late then finds it gone; and a store sees whether what it was
 * given stood still while it was being written.
 */
import * as Bytes from "effect/Bytes"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { EntryBlock } from "../LogEntry.ts"
import { ChunkBytes } from "../internal/ReusedMemory.ts"
import type { RaftMessage } from "../RaftMessage.ts"
import { RaftStorage } from "../RaftStorage.ts"
import type { LogStore, WriteBatch } from "../RaftStorage.ts"
import type { RaftTracer } from "../RaftTrace.ts"
import { RaftTransport } from "../RaftTransport.ts"

/** What nodes run on whose logs are their own. */
export const layer = (network: RaftTransport["Service"], disks: RaftStorage["Service"]) =>
  Layer.mergeAll(
    Layer.succeed(RaftTransport, transport(network)),
    Layer.succeed(RaftStorage, storage(disks)),
    // A few entries fit into a chunk.
    Layer.succeed(ChunkBytes, 512)
  )

const copyOf = (block: EntryBlock): EntryBlock => ({ ...block, bytes: new Uint8Array(block.bytes) })

const copyOfMessage = (message: RaftMessage): RaftMessage =>
  message._tag === "AppendEntries" && message.blocks.length > 0
    ? { ...message, blocks: message.blocks.map(copyOf) }
    : message

/** A network on which a message is a copy from when it is sent. */
const transport = (network: RaftTransport["Service"]): RaftTransport["Service"] => ({
  copiesBlocks: true,
  open: (options) =>
    Effect.map(network.open(options), (endpoint) => ({
      send: (to, message) => endpoint.send(to, copyOfMessage(message)),
      setPeers: (peers) => endpoint.setPeers(peers),
      problemWith: (address) => endpoint.problemWith(address),
      attributesOf: (peer) => endpoint.attributesOf(peer)
    }))
})

/** Disks that keep copies of what they are given. */
const storage = (disks: RaftStorage["Service"]): RaftStorage["Service"] => ({
  open: (identity) => Effect.map(disks.open(identity), withCopies)
})

const withCopies = (store: LogStore): LogStore => ({
  recovered: store.recovered,
  snapshots: store.snapshots,
  copiesBlocks: true,
  write: (batch) =>
    Effect.suspend(() => {
      const copy = copyOfBatch(batch)
      return Effect.tap(store.write(copy), () => expectSame(batch, copy))
    }),
  ...(store.writeNow !== undefined && { writeNow: (batch) => store.writeNow!(copyOfBatch(batch)) })
})

const copyOfBatch = (batch: WriteBatch): WriteBatch =>
  batch.blocks.length === 0 ? batch : { ...batch, blocks: batch.blocks.map(copyOf) }

const expectSame = ({ blocks }: WriteBatch, copy: WriteBatch): Effect.Effect<void> =>
  blocks.every(({ bytes }, at) => Bytes.Equivalence(bytes, copy.blocks[at]!.bytes))
    ? Effect.void
    : Effect.die(new Error("The memory of a block was used again while the block was being written"))

/** A tracer that may keep what it is told: blocks that were appended, and entries that were applied. */
export const keeping = (tracer: RaftTracer): RaftTracer => ({
  ...tracer,
  onTurn: tracer.onTurn && ((turn) => tracer.onTurn?.({ ...turn, actions: turn.actions.map(copyOfAction) })),
  onApplied:
    tracer.onApplied &&
    ((entry, reply) => tracer.onApplied?.({ ...entry, payload: new Uint8Array(entry.payload) }, reply))
})

const copyOfAction = <A extends Parameters<NonNullable<RaftTracer["onTurn"]>>[0]["actions"][number]>(
  action: A
) =>
  action._tag === "Persist" && action.blocks.length > 0
    ? { ...action, blocks: action.blocks.map(copyOf) }
    : action
