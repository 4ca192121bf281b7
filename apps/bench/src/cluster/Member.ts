/**
 * One server process of a cluster, across its lives: started, killed, frozen, started again. Whoever
 * holds the scope holds the process.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as NodeChildProcess from "node:child_process"
import * as NodeFs from "node:fs"
import * as NodeNet from "node:net"
import { BenchFailed } from "../Scenario.ts"

export interface MemberOptions {
  readonly id: string
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
  /** Gets what the process says. */
  readonly logFile: string
  /** Something listens here when the process serves clients: "127.0.0.1:7101". */
  readonly clientAddress: string
  /** A process of Node that answers the messages of `probe/Probe.ts`. */
  readonly hasProbe: boolean
}

export interface Member {
  readonly id: string
  readonly clientAddress: string
  /** 0 while it does not run. */
  readonly pid: () => number
  /** Starts the process and waits until it listens for clients. */
  readonly start: Effect.Effect<void, BenchFailed>
  /** Sends the signal and waits for the end of the process. */
  readonly kill: (signal: "SIGKILL" | "SIGTERM") => Effect.Effect<void>
  /** Freezes the process, or lets it go on. */
  readonly freeze: (isFrozen: boolean) => void
  /** Asks the probe inside; an empty record where there is none. */
  readonly probe: Effect.Effect<Readonly<Record<string, number>>>
}

const pollMillis = 5
const startMillis = 60_000

export const make = (options: MemberOptions): Effect.Effect<Member, never, Scope.Scope> =>
  Effect.gen(function* () {
    let child: NodeChildProcess.ChildProcess | undefined

    const spawn = Effect.sync(() => {
      const log = NodeFs.openSync(options.logFile, "a")
      const started = NodeChildProcess.spawn(options.command, options.args, {
        env: { ...process.env, ...options.env },
        // The writing end of its input is ours: it stops when we are gone.
        stdio: ["pipe", log, log, ...(options.hasProbe ? ["ipc" as const] : [])]
      })
      NodeFs.closeSync(log)
      started.on("error", () => undefined)
      child = started
    })

    const kill = (signal: NodeJS.Signals): Effect.Effect<void> =>
      Effect.callback((resume) => {
        if (child === undefined || child.exitCode !== null || child.signalCode !== null) {
          return resume(Effect.void)
        }
        child.once("exit", () => resume(Effect.void))
        child.kill(signal)
        // A frozen process takes no other signal than SIGKILL until it goes on.
        child.kill("SIGCONT")
      })

    const listening: Effect.Effect<void, BenchFailed> = Effect.suspend(() => {
      if (child?.exitCode === null && child.signalCode === null) return isListening(options.clientAddress)
      return Effect.fail(
        new BenchFailed({ message: `${options.id} has ended before it was ready: see ${options.logFile}` })
      )
    }).pipe(Effect.flatMap((isThere) => (isThere ? Effect.void : Effect.delay(listening, pollMillis))))

    yield* Effect.addFinalizer(() => kill("SIGKILL"))
    return {
      id: options.id,
      clientAddress: options.clientAddress,
      pid: () => child?.pid ?? 0,
      start: Effect.andThen(
        spawn,
        Effect.timeoutOrElse(listening, {
          duration: startMillis,
          orElse: () =>
            Effect.fail(new BenchFailed({ message: `${options.id} was not ready within ${startMillis} ms` }))
        })
      ),
      kill,
      freeze: (isFrozen) => void child?.kill(isFrozen ? "SIGSTOP" : "SIGCONT"),
      probe: Effect.suspend(() =>
        options.hasProbe && child?.connected === true ? askProbe(child) : Effect.succeed({})
      )
    }
  })

const askProbe = (child: NodeChildProcess.ChildProcess) =>
  Effect.callback<Readonly<Record<string, number>>>((resume) => {
    child.once("message", (answer) => resume(Effect.succeed(answer as Readonly<Record<string, number>>)))
    child.send("probe")
  }).pipe(Effect.timeoutOrElse({ duration: 1000, orElse: () => Effect.succeed({}) }))

const isListening = (address: string): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const [host = "", port = ""] = address.split(":")
    const socket = NodeNet.connect({ host, port: Number(port) })
    socket.once("connect", () => {
      socket.destroy()
      resume(Effect.succeed(true))
    })
    socket.once("error", () => resume(Effect.succeed(false)))
  })
