/**
 * Scripts: small stories about a cluster, with what happens written under each sentence.
 *
 * A line that begins with `> ` is a command, and the indented lines under it are its trace; everything
 * else is prose. {@link run} plays the commands and gives the same text with the traces that really came
 * out, so a script is checked by comparing, and brought up to date by writing it back.
 *
 * Nothing happens unless a command says so: messages wait to be delivered and timers do not ring. Only
 * two things go by themselves: disks, which are instant unless `slow disks` was asked for; and a node's
 * own fibers, which send at once what the rules want sent.
 *
 * README.md in this folder lists the commands.
 */
import type { NodeId } from "../../src/NodeId.ts"
import type { LogIndex } from "../../src/LogIndex.ts"
import type { Term } from "../../src/Term.ts"
import type { StoredState } from "../../src/RaftStorage.ts"
import * as Build from "../rules/Build.ts"
import { Invariants } from "../rules/Invariants.ts"
import type { Envelope } from "../rules/PureCluster.ts"
import { otherVoters, replicatedTo } from "../../src/consensus/NodeState.ts"
import { PureCluster, roleName } from "../rules/PureCluster.ts"
import type { SimulatedNode } from "../rules/SimulatedNode.ts"
import { Trace, describeNode } from "./Trace.ts"

/** Plays a script. The text that comes back is the script with the traces that came out. */
export const run = (text: string): string => {
  const stage = new Stage()
  const lines: Array<string> = []
  for (const line of text.split("\n")) {
    if (line.startsWith("  ")) continue
    lines.push(line)
    if (line.startsWith("> ")) lines.push(...stage.play(line.slice(2).trim()).map((traced) => `  ${traced}`))
  }
  return lines.join("\n")
}

/** A command: how it reads, and what it does with the words that stand in the places of its groups. */
type Command = readonly [pattern: RegExp, perform: (stage: Stage, ...words: ReadonlyArray<string>) => void]

const commands: ReadonlyArray<Command> = [
  [
    /^cluster of (\d+)((?:,? [^,]+)*)$/,
    (stage, voters, options) => stage.plan(Number(voters), options ?? "")
  ],
  [/^(n\d+) has term (\d+), vote (n\d+|none), log (.*)$/, (stage, ...words) => stage.store(words)],
  [/^(n\d+) times out$/, (stage, id) => stage.timeOut(stage.node(id))],
  [/^(n\d+) is elected$/, (stage, id) => stage.elect(stage.node(id))],
  [
    /^(n\d+) sends heartbeats until (n\d+) times out$/,
    (stage, id, other) => stage.leadUntil(stage.node(id), stage.node(other))
  ],
  [/^(n\d+) asks again for votes$/, (stage, id) => stage.forgetAsked(stage.node(id))],
  [/^(n\d+) proposes (.+)$/, (stage, id, texts) => stage.propose(stage.node(id), texts.split(" "))],
  [
    /^(n\d+) makes ((?:n\d+ ?)+) the voters$/,
    (stage, id, names) => stage.replaceVoters(stage.node(id), names.split(" "))
  ],
  [
    /^(n\d+) reads (\d+)$/,
    (stage, id, readId) => stage.node(id).handle({ _tag: "ReadsRequested", readIds: [Number(readId)] })
  ],
  [/^(n\d+) asks again where to read$/, (stage, id) => stage.node(id).handle({ _tag: "ReadRetryDue" })],
  [/^(n\d+) sends heartbeats$/, (stage, id) => stage.node(id).handle({ _tag: "HeartbeatDue" })],
  [
    /^(n\d+) loses its connection with (n\d+)$/,
    (stage, id, peer) => stage.node(id).handle({ _tag: "PeerLost", peer: Build.id(peer) })
  ],
  [/^(n\d+) finishes (\d+) writes?$/, (stage, id, count) => stage.node(id).write(Number(count))],
  [/^(n\d+) takes a snapshot$/, (stage, id) => void stage.node(id).takeSnapshot()],
  [/^(n\d+) finishes its snapshot$/, (stage, id) => stage.node(id).finishSnapshot()],
  [/^(n\d+) crashes$/, (stage, id) => stage.node(id).crash(0)],
  [/^(n\d+) crashes, (\d+) writes? survives?$/, (stage, id, count) => stage.node(id).crash(Number(count))],
  [
    /^(n\d+) crashes, its snapshot survives$/,
    (stage, id) => stage.node(id).crash(0, { keepsSnapshots: true })
  ],
  [/^(n\d+) restarts$/, (stage, id) => stage.cluster.restart(stage.node(id))],
  [/^(\d+) ms pass$/, (stage, millis) => void (stage.cluster.nowMillis += Number(millis))],
  [/^deliver everything$/, (stage) => stage.deliver(stage.cluster.inFlight)],
  [/^deliver (n\d+) -> (n\d+)$/, (stage, from, to) => stage.deliver(stage.between(from, to))],
  [
    /^deliver (n\d+) -> (n\d+), only the (first|last)$/,
    (stage, from, to, which) =>
      stage.deliver(stage.between(from, to).slice(...(which === "first" ? [0, 1] : [-1])))
  ],
  [/^deliver (n\d+) -> (n\d+) twice$/, (stage, from, to) => stage.deliverTwice(stage.between(from, to))],
  [/^lose everything$/, (stage) => void (stage.cluster.inFlight = [])],
  [/^lose (n\d+) -> (n\d+)$/, (stage, from, to) => stage.lose(stage.between(from, to))],
  [/^cut off ((?:n\d+ ?)+)$/, (stage, ids) => stage.cutOff(ids.split(" "))],
  [/^heal$/, (stage) => stage.cutOff([])],
  [/^let it run$/, (stage) => stage.letRun()],
  [/^show (n\d+)$/, (stage, id) => stage.trace.note(describeNode(stage.node(id)))],
  [/^show all$/, (stage) => stage.cluster.nodes.forEach((node) => stage.trace.note(describeNode(node)))]
]

/** What a script plays on. */
class Stage {
  trace = new Trace({ hasSlowDisks: false })
  private hasSlowDisks = false
  private readonly stored: Record<string, StoredState> = {}
  private built: PureCluster | undefined
  private planned: (() => PureCluster) | undefined
  /** Nodes that nothing reaches and that reach nobody but each other. */
  private apart: ReadonlySet<string> = new Set()
  /** Who was asked for a vote already in a role; a fiber asks once, and again when it is asked for. */
  private readonly asked = new Set<string>()

  play(line: string): ReadonlyArray<string> {
    for (const [pattern, perform] of commands) {
      const words = pattern.exec(line)?.slice(1)
      if (words === undefined) continue
      perform(this, ...words)
      this.runFibers()
      return this.trace.take()
    }
    throw new Error(`"${line}" is no command; see test/scripts/README.md`)
  }

  get cluster(): PureCluster {
    if (this.planned === undefined) throw new Error(`A script begins with "> cluster of 3"`)
    this.built ??= this.planned()
    return this.built
  }

  node(id: string | undefined): SimulatedNode {
    return this.cluster.node(id ?? "")
  }

  plan(voters: number, text: string): void {
    const options = text.split(",").map((option) => option.trim())
    const learners = options.find((option) => /^\d+ learners?$/.test(option))
    const kept = options.find((option) => /^keeps \d+ entr(y|ies)$/.test(option))
    const piece = options.find((option) => /^pieces of \d+ bytes$/.test(option))
    this.hasSlowDisks = options.includes("slow disks")
    this.trace = new Trace({ hasSlowDisks: this.hasSlowDisks })
    const invariants: Invariants = new Invariants(() => this.cluster)
    this.planned = () =>
      new PureCluster({
        membership: Build.membership({ voters, learners: Number.parseInt(learners ?? "0") }),
        config: Build.config({
          preVote: !options.includes("no pre-vote"),
          checkQuorum: !options.includes("no check quorum"),
          snapshotTrailingEntries: Number(kept?.split(" ")[1] ?? 0),
          snapshotPieceBytes: Number(piece?.split(" ")[2] ?? 1000),
          ...(options.includes("one entry a message") ? { maxAppendBytes: 1 } : undefined)
        }),
        stored: this.stored,
        jitter: () => 0,
        observers: [invariants, this.trace]
      })
  }

  store([id, term, votedFor, log]: ReadonlyArray<string>): void {
    if (this.built !== undefined) throw new Error(`What ${id} has must be said before anything happens`)
    this.stored[id!] = {
      hardState: {
        currentTerm: Number(term) as Term,
        votedFor: votedFor === "none" ? null : Build.id(votedFor!)
      },
      base: Build.logBase(Build.start),
      blocks: Build.blocks(log === "empty" ? [] : log!.split(" ").map(Number)),
      committed: 0 as LogIndex
    }
  }

  timeOut(node: SimulatedNode): void {
    const { role } = node.state
    if (role._tag !== "Leader") {
      this.cluster.nowMillis = Math.max(this.cluster.nowMillis, role.electionDeadlineMillis)
    }
    node.handle({ _tag: "ElectionDue" })
  }

  /** A whole election, of which the trace says only how it ends. */
  elect(node: SimulatedNode): void {
    this.trace.take()
    this.timeOut(node)
    this.letRun()
    const changes = this.trace.take().filter((line) => line.startsWith(`${node.id} is now the leader`))
    if (changes.length === 0) throw new Error(`${node.id} was not elected`)
    for (const change of changes) this.trace.note(change)
  }

  /** Time passes in which one node leads on; the trace tells of changes, not of heartbeats. */
  leadUntil(leader: SimulatedNode, other: SimulatedNode): void {
    const { role } = other.state
    const until = role._tag === "Leader" ? this.cluster.nowMillis : role.electionDeadlineMillis
    while (this.cluster.nowMillis < until) {
      this.cluster.nowMillis = Math.min(until, this.cluster.nowMillis + 20)
      leader.handle({ _tag: "HeartbeatDue" })
      this.letRun()
    }
    const changes = this.trace.take().filter((line) => !line.includes(" -> "))
    for (const change of changes) this.trace.note(change)
    other.handle({ _tag: "ElectionDue" })
  }

  forgetAsked(node: SimulatedNode): void {
    for (const key of this.asked) if (key.startsWith(`${node.id} `)) this.asked.delete(key)
  }

  propose(node: SimulatedNode, texts: ReadonlyArray<string>): void {
    node.handle({ _tag: "Proposed", drafts: texts.map(Build.command) })
  }

  replaceVoters(node: SimulatedNode, names: ReadonlyArray<string>): void {
    const change = { _tag: "ReplaceVoters", voters: names.map(Build.id) } as const
    node.handle({ _tag: "MembershipRequested", requestId: 1, change })
  }

  between(from: string | undefined, to: string | undefined): ReadonlyArray<Envelope> {
    return this.cluster.inFlight.filter((envelope) => envelope.from === from && envelope.to === to)
  }

  deliver(envelopes: ReadonlyArray<Envelope>): void {
    for (const envelope of envelopes) {
      this.cluster.deliver(envelope)
      this.runFibers()
    }
  }

  deliverTwice(envelopes: ReadonlyArray<Envelope>): void {
    for (const envelope of envelopes) this.cluster.deliver(envelope, { again: true })
    this.deliver(envelopes)
  }

  lose(envelopes: ReadonlyArray<Envelope>): void {
    for (const envelope of envelopes) this.cluster.drop(envelope)
  }

  cutOff(ids: ReadonlyArray<string>): void {
    this.apart = new Set(ids)
  }

  /** Delivers until nobody has anything to say. */
  letRun(): void {
    this.runFibers()
    for (let round = 0; this.cluster.inFlight.length > 0; round++) {
      if (round > 100) throw new Error("They go on talking for ever")
      this.deliver(this.cluster.inFlight)
    }
  }

  private isCut({ from, to }: Envelope): boolean {
    return this.apart.has(from) !== this.apart.has(to)
  }

  /** What goes by itself: instant disks, and the fibers that send what the rules want sent. */
  private runFibers(): void {
    for (const node of this.built?.nodes ?? []) {
      while (!this.hasSlowDisks && node.isUp && hasWork(node)) {
        node.write(node.unwritten.length)
        node.finishSnapshot()
      }
      for (const voter of otherVoters(node.state)) this.askOnce(node, voter)
      for (const peer of replicatedTo(node.state)) {
        while (this.cluster.replicate(node, peer));
        this.cluster.sendSnapshot(node, peer)
      }
    }
    if (this.apart.size > 0) this.lose(this.cluster.inFlight.filter((envelope) => this.isCut(envelope)))
  }

  private askOnce(node: SimulatedNode, peer: NodeId): void {
    const { role } = node.state
    const attempt = role._tag === "PreCandidate" ? role.attempt : 1
    const key = `${node.id} ${roleName(node.state)} ${attempt} ${peer}`
    if (!this.asked.has(key) && this.cluster.ask(node, peer)) this.asked.add(key)
  }
}

/** Whether its disk has something to do. */
const hasWork = (node: SimulatedNode): boolean =>
  node.unwritten.length > 0 || node.shelf.unfinished.length > 0
