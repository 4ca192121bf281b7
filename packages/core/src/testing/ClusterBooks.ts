/**
 * What is written down of each node while a test runs: its state after its last turn, and what it has applied.
 */
import type { NodeState } from "../consensus/NodeState.ts"
import type { LogEntry } from "../LogEntry.ts"
import * as LogIndex from "../LogIndex.ts"
import type { NodeId } from "../NodeId.ts"
import type { RaftTracer } from "../RaftTrace.ts"

/** What is known of one life of a node. */
interface Book {
  /** After its last turn. */
  state: NodeState
  readonly applied: Array<LogEntry>
  appliedIndex: LogIndex.LogIndex
}

export class ClusterBooks {
  private readonly books = new Map<NodeId, Book>()
  /** What any node applied at an index, last. */
  private readonly everApplied: Array<LogEntry | undefined> = []

  /** Keeps the book of a node, a new one from each of its starts on. */
  tracerOf(nodeId: NodeId): RaftTracer {
    let book: Book
    return {
      onStart: (state) => {
        book = { state, applied: [], appliedIndex: LogIndex.zero }
        this.books.set(nodeId, book)
      },
      onTurn: ({ after }) => {
        book.state = after
      },
      onRestored: (index) => {
        book.appliedIndex = index
      },
      onApplied: (entry) => {
        book.applied.push(this.remember(entry))
        book.appliedIndex = entry.index
      }
    }
  }

  /** Every node reads the entry anew; one copy of it is enough to remember. */
  private remember(entry: LogEntry): LogEntry {
    const known = this.everApplied[entry.index]
    if (known?.term === entry.term) return known
    this.everApplied[entry.index] = entry
    return entry
  }

  stateOf(nodeId: NodeId): NodeState | undefined {
    return this.books.get(nodeId)?.state
  }

  /** Since its last start; what a snapshot stands for is not among it. */
  appliedBy(nodeId: NodeId): ReadonlyArray<LogEntry> {
    return this.books.get(nodeId)?.applied ?? []
  }

  /** How far a node's machine is, by entries or by a snapshot. */
  appliedIndexOf(nodeId: NodeId): LogIndex.LogIndex {
    return this.books.get(nodeId)?.appliedIndex ?? LogIndex.zero
  }

  appliedAt(index: LogIndex.LogIndex): LogEntry | undefined {
    return this.everApplied[index]
  }
}
