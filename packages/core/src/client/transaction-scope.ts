import type pg from 'pg'
import type { TransactionHook, TransactionHooks } from '../operation.ts'
import { createTurnstile, type Turnstile } from './turnstile.ts'

/** The connection of a transaction, and what serialises the statements on it. */
export interface OpenConnection {
  readonly connection: pg.PoolClient
  readonly turnstile: Turnstile
}

/** One transaction or savepoint as code inside it sees it. */
export interface Transaction extends TransactionHooks {
  /** 0 for the transaction itself, 1 and more for savepoints. */
  readonly depth: number
}

/** The inner side of a transaction. */
export class TransactionScope implements Transaction {
  readonly depth: number
  readonly parent: TransactionScope | undefined
  /** Prisma's client of this transaction; its shape is the user's. */
  client: object | undefined
  /** Lets one nested transaction run at a time: Prisma refuses concurrent ones. */
  readonly nestedTurnstile: Turnstile = createTurnstile()
  #open: OpenConnection | undefined
  #commitFailure: { readonly error: unknown } | undefined
  #bodyFailure: { readonly error: unknown } | undefined
  #afterCommit: TransactionHook[] = []
  #afterRollback: TransactionHook[] = []

  constructor(parent?: TransactionScope) {
    this.parent = parent
    this.depth = parent ? parent.depth + 1 : 0
  }

  afterCommit(hook: TransactionHook): void {
    this.#afterCommit.push(hook)
  }

  afterRollback(hook: TransactionHook): void {
    this.#afterRollback.push(hook)
  }

  open(connection: OpenConnection): void {
    this.#open ??= connection
  }

  get connection(): OpenConnection | undefined {
    return this.#open ?? this.parent?.connection
  }

  /** Remembers that COMMIT itself failed: then it may have happened all the same. */
  failCommit(error: unknown): void {
    this.#commitFailure = { error }
  }

  get commitFailure(): { readonly error: unknown } | undefined {
    return this.#commitFailure
  }

  /** Remembers what the caller's code threw. */
  failBody(error: unknown): void {
    this.#bodyFailure = { error }
  }

  get bodyFailure(): { readonly error: unknown } | undefined {
    return this.#bodyFailure
  }

  /** Hands the hooks of a finished savepoint to the transaction around it, whose fate they now share. */
  mergeIntoParent(): void {
    const { parent } = this
    if (!parent) return
    parent.#afterCommit.push(...this.#afterCommit)
    parent.#afterRollback.push(...this.#afterRollback)
  }

  hooks(end: 'committed' | 'rolled-back'): readonly TransactionHook[] {
    return end === 'committed' ? this.#afterCommit : this.#afterRollback
  }
}
