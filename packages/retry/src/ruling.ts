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

/** Runs one attempt so that levels inside know of it; it is awaited in there, because promises of Prisma are lazy. */
export async function within<T>(
  { engine, toPass, guarded }: Level,
  run: () => Promise<T>,
  transaction?: () => boolean,
): Promise<T> {
  const frame: Frame = {
    engine,
    transaction,
    guarded: guarded.length === 0 ? toPass : [...guarded, ...toPass],
    isOver: false,
  }
  try {
    return await frames.run(frame, async () => await run())
  } finally {
    frame.isOver = true
  }
}

/** For what is to follow the engine's options without being its work as a whole. */
export function follow<T>(engine: Engine, run: () => Promise<T>): Promise<T> {
  return within({ ...engine.outermost, toPass: nobody }, run)
}
