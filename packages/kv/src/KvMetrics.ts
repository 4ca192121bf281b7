/**
 * What Prometheus is told: how many operations the HTTP API served, how they ended and how long they
 * took, and where the node stands. Every series carries the node's name, so that several nodes may
 * share a process.
 */
import { Role } from "@effect-raft/core/RaftStatus"
import type { RaftStatus } from "@effect-raft/core/RaftStatus"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

/** What a client asked for. */
export type Operation = "get" | "put" | "delete"

const operationsTotal = Metric.counter("kv_operations_total", {
  description: "Key-value operations served over HTTP, by kind and by how they ended",
  incremental: true
})

const operationSeconds = Metric.histogram("kv_operation_duration_seconds", {
  description: "Time from the request's headers to the answer, in seconds",
  boundaries: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5]
})

/** Counts and times the operations of one kind on one node. */
export const observing = (node: string, operation: Operation) => {
  const attributes = { node, operation }
  const seconds = Metric.withAttributes(operationSeconds, attributes)
  const ok = Metric.withAttributes(operationsTotal, { ...attributes, result: "ok" })
  const failed = new Map<string, typeof ok>()
  const counterOf = (error: string) => {
    const known = failed.get(error)
    if (known !== undefined) return known
    const counter = Metric.withAttributes(operationsTotal, { ...attributes, result: error })
    failed.set(error, counter)
    return counter
  }
  return <A, E extends { readonly error: string }, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.flatMap(Clock.monotonicTimeNanos, (startedNanos) => {
      const finish = (counter: typeof ok) =>
        Effect.flatMap(Clock.monotonicTimeNanos, (nanos) =>
          Effect.andThen(
            Metric.update(seconds, Number(nanos - startedNanos) / 1e9),
            Metric.update(counter, 1)
          )
        )
      return effect.pipe(
        Effect.tap(() => finish(ok)),
        Effect.tapError(({ error }) => finish(counterOf(error)))
      )
    })
}

const gauge = (name: string, description: string) => Metric.gauge(name, { description })

const gauges = {
  term: gauge("raft_term", "The node's current term"),
  commitIndex: gauge("raft_commit_index", "Index of the last entry known to be committed"),
  appliedIndex: gauge("raft_applied_index", "Index of the last entry applied to the state machine"),
  lastIndex: gauge("raft_last_index", "Index of the last entry in the log"),
  role: gauge("raft_role", "1 for the role that the node has, 0 for the others"),
  hasLeader: gauge("raft_has_leader", "Whether the node knows of a leader"),
  keys: gauge("kv_keys", "Keys in the state machine of this node")
}

/** Sets the gauges to what the node says of itself. */
export const record = (status: RaftStatus, keys: number): Effect.Effect<void> => {
  const attributes = { node: status.nodeId }
  const set = (metric: Metric.Gauge<number>, value: number, more?: Record<string, string>) =>
    Metric.update(Metric.withAttributes(metric, { ...attributes, ...more }), value)
  return Effect.all(
    [
      set(gauges.term, status.term),
      set(gauges.commitIndex, status.commitIndex),
      set(gauges.appliedIndex, status.appliedIndex),
      set(gauges.lastIndex, status.lastIndex),
      set(gauges.hasLeader, status.leader === null ? 0 : 1),
      set(gauges.keys, keys),
      ...Role.literals.map((role) => set(gauges.role, role === status.role ? 1 : 0, { role }))
    ],
    { discard: true }
  )
}
