/**
 * What `up` shows of its nodes: one line per node. On a terminal the lines stay in place and are drawn
 * anew; elsewhere a line is printed when there is something new to tell.
 */
import type { Life } from "./Cluster.ts"
import type { NodePlan } from "./ClusterPlan.ts"
import * as NodeProcess from "./NodeProcess.ts"
import type { NodeStatus } from "./Store.ts"

/** One node as it looks now. */
export interface NodeView {
  readonly plan: NodePlan
  readonly life: Life
  /** What it said of itself last; nothing while it does not answer. */
  readonly status: NodeStatus | undefined
}

/** The node's line, with the numbers that always change. */
export const lineOf = (view: NodeView): string => {
  const { status } = view
  if (status === undefined) return newsOf(view)
  const lag = status.applied === status.commit ? "" : `  applied ${status.applied}`
  return `${newsOf(view)}  commit ${status.commit}${lag}`
}

/** The node's line without them: two that are equal tell the same. */
export const newsOf = ({ plan, life, status }: NodeView): string =>
  `${plan.id}  ${plan.url}  ${describe(life, status)}`

const describe = (life: Life, status: NodeStatus | undefined): string => {
  switch (life._tag) {
    case "NotStarted":
      return "not started"
    case "Starting":
      return "starting"
    case "Ended":
      return `dead, ${NodeProcess.describe(life.ending)}`
    case "Running":
      return `${status === undefined ? "no answer" : describeStatus(status)}  pid ${life.process.pid}`
  }
}

const describeStatus = (status: NodeStatus): string =>
  `${status.role.padEnd(9)}  term ${status.term}  ${status.leader === null ? "no leader" : `leader ${status.leader}`}`

/** Lines of text that replace the ones drawn before them, each cut to the terminal's width. */
export const redraw = (lines: ReadonlyArray<string>, drawnBefore: number, columns: number): string => {
  const up = drawnBefore === 0 ? "" : `\u001b[${drawnBefore}A`
  return up + lines.map((line) => `\r\u001b[2K${cut(line, columns)}\n`).join("")
}

const cut = (line: string, columns: number): string =>
  columns > 1 && line.length >= columns ? `${line.slice(0, columns - 2)}…` : line
