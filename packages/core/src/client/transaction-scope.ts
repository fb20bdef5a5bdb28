import { DatabaseError } from '../database-error.ts'
import type { TransactionHook, TransactionHooks } from '../operation.ts'
import { createGate, type Gate } from './gate.ts'
import type { PooledClient } from './pool.ts'
import type { Turnstile } from './turnstile.ts'
import type { TransactionOptions } from './types.ts'

/** The connection of a transaction, and what serialises the statements on it. */
export interface OpenConnection {
  readonly connection: PooledClient
  readonly turnstile: Turnstile
  /** Set when COMMIT or ROLLBACK is sent: from then on the connection may be anybody's. */
  ended?: boolean
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
  /** Why nothing may be sent any more: time, signal, or that it is over. */
  endedBy: DatabaseError | undefined
  /** Makes its body fail with `endedBy`; absent while no body runs. */
  interrupt: ((reason: DatabaseError) => void) | undefined
  /** What the caller's code threw. */
  bodyFailure: { readonly error: unknown } | undefined
  /** Set when it is over: committed, rolled back, or nobody knows. */
  isOver = false
  /** What COMMIT itself failed with: then it may have happened all the same. */
  commitFailure: { readonly error: unknown } | undefined
  /** Set when a part that had joined failed: then only a rollback is left. */
  rollbackOnly = false
  /** Calls that were made in here and have not been started. */
  unstarted = 0
  /** Calls that are under way. */
  running = 0
  /** Keeps its operations and its savepoints apart. */
  readonly gate: Gate = createGate()
  readonly #children = new Set<TransactionScope>()
  readonly #savepoints = new Set<Promise<unknown>>()
  #open: OpenConnection | undefined
  #afterCommit: TransactionHook[] = []
  #afterRollback: TransactionHook[] = []
  /** What packages wait for the end with; runs before the caller's hooks, which may take their time. */
  readonly forPackages: TransactionHooks = {
    afterCommit: (hook) => {
      this.#refuseEnded()
      this.#packagesAfterCommit.push(hook)
    },
    afterRollback: (hook) => {
      this.#refuseEnded()
      this.#packagesAfterRollback.push(hook)
    },
  }
  #packagesAfterCommit: TransactionHook[] = []
  #packagesAfterRollback: TransactionHook[] = []

  constructor(options: TransactionOptions, parent?: TransactionScope) {
    this.options = options
    this.parent = parent
    this.canWrite = options.readOnly !== true
    this.depth = parent ? parent.depth + 1 : 0
  }

  /** Why nothing may be sent in here any more; also when a transaction around it is over. */
  get ended(): DatabaseError | undefined {
    return this.endedBy ?? this.parent?.ended
  }

  /** Whether it is `other`, or inside of it. */
  isWithin(other: TransactionScope): boolean {
    return this === other || this.parent?.isWithin(other) === true
  }

  /** Counts `work` as under way in here until it is settled. */
  async follow<T>(work: Promise<T>): Promise<T> {
    this.running += 1
    try {
      return await work
    } finally {
      this.running -= 1
    }
  }

  /** The same for a savepoint, which must be over before this is. */
  async followSavepoint<T>(savepoint: Promise<T>): Promise<T> {
    this.#savepoints.add(savepoint)
    try {
      return await this.follow(savepoint)
    } finally {
      this.#savepoints.delete(savepoint)
    }
  }

  /** Notes a savepoint whose body runs. */
  enter(child: TransactionScope): void {
    this.#children.add(child)
  }

  leave(child: TransactionScope): void {
    this.#children.delete(child)
  }

  /** From now on nothing is sent, in here and in its savepoints. */
  close(reason: DatabaseError): void {
    this.endedBy ??= reason
    for (const child of this.#children) child.close(reason)
  }

  /** Makes what is open inside fail, and waits until it is rolled back: PostgreSQL ends savepoints from within. */
  async endSavepoints(reason: DatabaseError): Promise<void> {
    while (this.#savepoints.size > 0) {
      for (const child of this.#children) child.interrupt?.(reason)
      await Promise.allSettled(this.#savepoints)
    }
  }

  #refuseEnded(): void {
    const { ended } = this
    if (ended) throw ended
  }

  afterCommit(hook: TransactionHook): void {
    this.#refuseEnded()
    this.#afterCommit.push(hook)
  }

  afterRollback(hook: TransactionHook): void {
    this.#refuseEnded()
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
    parent.#packagesAfterCommit.push(...this.#packagesAfterCommit)
    parent.#packagesAfterRollback.push(...this.#packagesAfterRollback)
  }

  hooks(end: 'committed' | 'rolled-back'): readonly TransactionHook[] {
    return end === 'committed'
      ? [...this.#packagesAfterCommit, ...this.#afterCommit]
      : [...this.#packagesAfterRollback, ...this.#afterRollback]
  }
}

/** The answer to what comes when its transaction is over. */
export function transactionOver(): DatabaseError {
  return new DatabaseError('DB_TRANSACTION_CLOSED', 'The transaction that this belongs to is over', {
    outcome: 'not-sent',
  })
}
