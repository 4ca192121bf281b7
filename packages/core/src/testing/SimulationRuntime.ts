/**
 * A world of its own for Effect programs: one thread, one clock, no event loop.
 *
 * The program runs to its end in one synchronous call. Whatever is ready runs at once; when nothing is
 * ready, the clock jumps to the next timer. So a second of a cluster's life costs only the work that is
 * done in it, and the same seed gives the same run, byte for byte, on any machine.
 *
 * Fibers that are ready at the same moment may run in any order in a real system. With `interleave` the
 * order is drawn from the seed, which explores orders that an event loop would seldom show; the tasks of
 * one dispatcher keep their order.
 *
 * What waits for something outside (a promise, a socket, a real timer) can never become ready here. Such
 * a program ends with {@link Stuck}, one that never comes to rest with {@link Endless}.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Scheduler from "effect/Scheduler"
import { Dice, hashText } from "./LinkFaults.ts"
import { Advance } from "./Advance.ts"
import * as Alarm from "./Alarm.ts"
import { TimerHeap } from "./TimerHeap.ts"

/** Nothing is ready, no timer is set, and the program has not ended: it waits for the world outside. */
export class Stuck extends Error {
  constructor(nowMillis: number) {
    super(
      `The simulated program waits for something that cannot happen in a simulation (a promise, a socket, ` +
        `a real timer), or for nothing at all; virtual time is ${nowMillis} ms. Only Effects that wait for ` +
        `other fibers or for the Clock can be simulated`
    )
    this.name = "Stuck"
  }
}

/** The program goes on and on while no time passes. */
export class Endless extends Error {
  constructor(nowMillis: number) {
    super(
      `The simulated program did not come to rest in ${maxEventsAtOnce} steps; virtual time is ${nowMillis} ms`
    )
    this.name = "Endless"
  }
}

/** Steps in one moment of virtual time after which a program is taken to loop for ever. */
const maxEventsAtOnce = 1_000_000

export interface Options {
  /** Draws the order of ready fibers. */
  readonly seed: string
  /** Run ready fibers in an order drawn from the seed, instead of first come, first served. */
  readonly interleave?: boolean
}

export interface Outcome<A, E> {
  readonly exit: Exit.Exit<A, E>
  /** Tasks run and timers fired. */
  readonly events: number
  readonly virtualMillis: number
}

/** Runs a program to its end. Time begins at 0 and passes only while everybody waits. */
export const run = <A, E>(effect: Effect.Effect<A, E>, options: Options): Outcome<A, E> => {
  const timers = new TimerHeap()
  const ready = new ReadyTasks(options)
  let nowMillis = 0
  let events = 0
  let eventsNow = 0

  const clock = makeClock(timers, () => nowMillis)
  const program = effect.pipe(
    Effect.provideService(Clock.Clock, clock),
    Effect.provideService(Advance, (duration) => Effect.sleep(duration)),
    Effect.provideService(Alarm.Timers, (afterMillis, ring) => {
      timers.push(dueMillisOf(nowMillis, afterMillis), ring)
    })
  )
  const fiber = Effect.runFork(program, { scheduler: new SimulationScheduler(ready) })

  let exit = fiber.pollUnsafe()
  while (exit === undefined) {
    events++
    if (++eventsNow > maxEventsAtOnce)
      return { exit: Exit.die(new Endless(nowMillis)), events, virtualMillis: nowMillis }
    const task = ready.take()
    if (task !== undefined) {
      task()
    } else {
      const timer = timers.pop()
      if (timer === undefined)
        return { exit: Exit.die(new Stuck(nowMillis)), events, virtualMillis: nowMillis }
      if (timer.dueMillis > nowMillis) eventsNow = 0
      nowMillis = timer.dueMillis
      timer.fire()
    }
    exit = fiber.pollUnsafe()
  }
  return { exit, events, virtualMillis: nowMillis }
}

/** Whole microseconds, and one at least: a sleep that does not move the clock would never end. */
const dueMillisOf = (nowMillis: number, afterMillis: number): number =>
  (Math.round(nowMillis * 1_000) + Math.max(1, Math.ceil(afterMillis * 1_000))) / 1_000

const makeClock = (timers: TimerHeap, nowMillis: () => number): Clock.Clock => {
  // Read at every turn, and mostly the same as before: big integers are dear.
  let [knownMillis, knownNanos] = [0, 0n]
  const nanos = () => {
    const millis = nowMillis()
    if (millis !== knownMillis) {
      knownMillis = millis
      knownNanos = BigInt(Math.round(millis * 1_000_000))
    }
    return knownNanos
  }
  return {
    currentTimeMillisUnsafe: nowMillis,
    currentTimeMillis: Effect.sync(nowMillis),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: nanos,
    monotonicTimeNanos: Effect.sync(nanos),
    sleep: (duration) => {
      const millis = Duration.toMillis(duration)
      if (millis <= 0) return Effect.yieldNow
      if (!Number.isFinite(millis)) return Effect.never
      return Effect.callback((resume) => {
        const timer = timers.push(dueMillisOf(nowMillis(), millis), () => resume(Effect.void))
        return Effect.sync(() => timers.cancel(timer))
      })
    }
  }
}

/** Tasks that may run now, a line for each dispatcher. */
class ReadyTasks {
  private readonly dice: Dice | undefined
  private readonly lines: Array<TaskLine> = []
  /** The first of the lines that are left. */
  private first = 0
  private draws = 0

  constructor(options: Options) {
    if (options.interleave !== true) return
    this.dice = new Dice()
    this.dice.reset(hashText(`${options.seed}/order`), this.draws)
  }

  enter(line: TaskLine): void {
    this.lines.push(line)
  }

  /** The next task; a line that has more goes to the end. */
  take(): (() => void) | undefined {
    const line = this.dice === undefined ? this.takeFirst() : this.takeAny(this.dice)
    if (line === undefined) return undefined
    const task = line.tasks.shift()
    if (line.tasks.length > 0) this.lines.push(line)
    return task
  }

  private takeFirst(): TaskLine | undefined {
    if (this.first < this.lines.length) return this.lines[this.first++]
    this.lines.length = 0
    this.first = 0
    return undefined
  }

  private takeAny(dice: Dice): TaskLine | undefined {
    const { lines } = this
    const chosen = Math.floor(dice.next() * lines.length)
    const line = lines[chosen]
    // As `splice` does, which makes an array for each.
    for (let at = chosen; at < lines.length - 1; at++) lines[at] = lines[at + 1]!
    lines.pop()
    return line
  }
}

interface TaskLine {
  readonly tasks: Array<() => void>
}

class SimulationScheduler implements Scheduler.Scheduler {
  readonly executionMode = "sync"
  private readonly ready: ReadyTasks

  constructor(ready: ReadyTasks) {
    this.ready = ready
  }

  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    return fiber.currentOpCount >= maxOpsBeforeYield
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    const line: TaskLine = { tasks: [] }
    return {
      scheduleTask: (task) => {
        line.tasks.push(task)
        if (line.tasks.length === 1) this.ready.enter(line)
      },
      flush: () => {
        for (let task = line.tasks.shift(); task !== undefined; task = line.tasks.shift()) task()
      }
    }
  }
}

/** As the default scheduler has it. */
const maxOpsBeforeYield = 2048
