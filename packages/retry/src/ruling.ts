import { AsyncLocalStorage } from 'node:async_hooks'
import type { Engine } from './engine.ts'

/**
 * What a level of retrying tells the levels inside of it. The outermost level's options rule, and the innermost
 * level that can repeat the failed work carries them out: so attempts never multiply, and what was already done
 * within the outer piece of work is not done again. What is shared, breaker, bulkhead and budget, holds at each level.
 */
export interface Frame {
  readonly engine: Engine
  /** Inside a transaction nothing is repeated but the whole; says whether it is still open. */
  readonly transaction: (() => boolean) | undefined
  /** Whose guards have been passed already: to pass them again could wait for oneself. */
  readonly guarded: readonly Engine[]
  /** Set when its work has ended: what was started inside and runs on stands for itself. */
  isOver: boolean
}

/** What holds for a piece of work. */
export interface Level {
  /** Whose options rule. */
  readonly engine: Engine
  /** Whose budgets are used. */
  readonly concerned: readonly Engine[]
  /** Whose guards are to be passed. */
  readonly toPass: readonly Engine[]
  /** Whose guards have been passed further out. */
  readonly guarded: readonly Engine[]
  /** Whether a level further out hears of a failure. */
  readonly isInner: boolean
}

const storageKey = Symbol.for('@org/db-retry/frames')
// Two copies of this package in one process must see each other's frames.
const registry = globalThis as { [storageKey]?: AsyncLocalStorage<Frame> }
registry[storageKey] ??= new AsyncLocalStorage<Frame>()

const frames: AsyncLocalStorage<Frame> = registry[storageKey]

const nobody: readonly Engine[] = []

/** The frame of the running code, while its work lasts. */
export function currentFrame(): Frame | undefined {
  const frame = frames.getStore()
  return frame?.isOver ? undefined : frame
}

/** Whether the running code is inside of a transaction that is still open; hooks after it are not. */
export function isInTransaction(frame: Frame | undefined): boolean {
  return frame?.transaction?.() === true
}

/** What holds for work that `own` is asked to do. */
export function levelOf(own: Engine, frame: Frame | undefined): Level {
  if (!frame) return own.outermost
  const engine = frame.transaction ? own : frame.engine
  const { guarded } = frame
  const concerned = engine === own ? own.outermost.concerned : [engine, own]
  return {
    engine,
    concerned,
    toPass: concerned.filter((each) => !guarded.includes(each)),
    guarded,
    isInner: !frame.transaction,
  }
}

/** What levels inside are told. Whoever makes it sets `isOver`. */
export function frameOf({ engine, toPass, guarded }: Level, transaction?: () => boolean): Frame {
  return {
    engine,
    transaction,
    guarded: guarded.length === 0 ? toPass : [...guarded, ...toPass],
    isOver: false,
  }
}

/** Runs work so that levels inside know of it. */
export function within<T>(frame: Frame, run: () => Promise<T>): Promise<T> {
  return frames.run(frame, begin, run) as Promise<T>
}

/** The same for work that is over with its promise. */
export async function wholly<T>(frame: Frame, run: () => Promise<T>): Promise<T> {
  try {
    return await within(frame, run)
  } finally {
    frame.isOver = true
  }
}

/** A promise of Prisma begins its work when it is awaited: here, not where it is handed to. */
function begin<T>(run: () => Promise<T>): Promise<T> {
  const promise = run()
  return promise instanceof Promise ? promise : Promise.resolve(promise)
}

/** For what is to follow the engine's options without being its work as a whole. */
export function follow<T>(engine: Engine, run: () => Promise<T>): Promise<T> {
  return wholly(frameOf({ ...engine.outermost, toPass: nobody }), run)
}
