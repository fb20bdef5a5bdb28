import type pg from 'pg'
import type { DatabaseError } from '../database-error.ts'
import type { TransactionHook, TransactionHooks } from '../operation.ts'
import { createTurnstile, type Turnstile } from './turnstile.ts'
import type { TransactionOptions } from './types.ts'

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
  readonly options: TransactionOptions
  /** Prisma's client of this transaction; its shape is the user's. */
  client: object | undefined
  /** Whether it can write, so that the server's id of it is needed. */
  canWrite: boolean
  /** The server's id of the transaction. */
  transactionId: string | undefined
  /** Why it was ended before its body had: time or signal. */
  endedBy: DatabaseError | undefined
  /** What the caller's code threw. */
  bodyFailure: { readonly error: unknown } | undefined
  /** What COMMIT itself failed with: then it may have happened all the same. */
  commitFailure: { readonly error: unknown } | undefined
  /** Set when a part that had joined failed: then only a rollback is left. */
  rollbackOnly = false
  /** Calls that were made in here and have not been started. */
  unstarted = 0
  /** Calls that are under way. */
  running = 0
  /** Lets one nested transaction run at a time: Prisma refuses concurrent ones. */
  readonly nestedTurnstile: Turnstile = createTurnstile()
  #open: OpenConnection | undefined
  #afterCommit: TransactionHook[] = []
  #afterRollback: TransactionHook[] = []

  constructor(options: TransactionOptions, parent?: TransactionScope) {
    this.options = options
    this.parent = parent
    this.canWrite = options.readOnly !== true
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

  /** The transaction that this one is a savepoint of, or itself. */
  get root(): TransactionScope {
    return this.parent?.root ?? this
  }

  get connection(): OpenConnection | undefined {
    return this.#open ?? this.parent?.connection
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
