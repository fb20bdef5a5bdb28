import { AsyncLocalStorage } from 'node:async_hooks'
import type { Engine } from './engine.ts'

/**
 * What a level of retrying tells the levels inside of it. The outermost level's options rule, and the innermost
 * level that can repeat the failed work carries them out: so attempts never multiply, and what was already done
 * within the outer piece of work is not done again.
 */
export interface Frame {
  readonly engine: Engine
  /** Inside a transaction nothing is repeated but the whole. */
  readonly inTransaction: boolean
  /** Whether the engine's guards have been passed already: to pass them again could wait for oneself. */
  readonly isGuarded: boolean
}

/** The three frames of an engine. */
export interface Frames {
  /** For what runs inside of work. */
  readonly work: Frame
  /** For what runs inside of a transaction. */
  readonly transaction: Frame
  /** For what is to follow the engine's options without being its work as a whole. */
  readonly ruled: Frame
}

/** Makes them once, so that none is made on the way of a call. */
export function createFrames(engine: Engine): Frames {
  return {
    work: { engine, inTransaction: false, isGuarded: true },
    transaction: { engine, inTransaction: true, isGuarded: true },
    ruled: { engine, inTransaction: false, isGuarded: false },
  }
}

const storageKey = Symbol.for('@org/db-retry/frames')
// Two copies of this package in one process must see each other's frames.
const registry = globalThis as { [storageKey]?: AsyncLocalStorage<Frame> }
registry[storageKey] ??= new AsyncLocalStorage<Frame>()

/** The frame of the running code. */
export const frames: AsyncLocalStorage<Frame> = registry[storageKey]

/** The engine whose options hold for work that `own` would do. */
export function rulingEngine(own: Engine, frame: Frame | undefined): Engine {
  return frame && !frame.inTransaction ? frame.engine : own
}

/** Whether a level further out has passed the guards of `engine`. */
export function isInner(engine: Engine, frame: Frame | undefined): boolean {
  return frame?.isGuarded === true && frame.engine === engine
}
