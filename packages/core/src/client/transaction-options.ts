import { z } from 'zod'
import { DatabaseError } from '../database-error.ts'
import type { TransactionOptions } from './types.ts'

// The longest that Node's timers take; above it they fire at once.
const milliseconds = z.number().min(0).max(2_147_483_647)

const schema = z.strictObject({
  propagation: z
    .enum(['nested', 'required', 'requires-new', 'supports', 'mandatory', 'never', 'not-supported'])
    .optional(),
  isolationLevel: z.enum(['ReadUncommitted', 'ReadCommitted', 'RepeatableRead', 'Serializable']).optional(),
  timeoutMs: milliseconds.optional(),
  maxWaitMs: milliseconds.optional(),
  lockTimeoutMs: milliseconds.optional(),
  readOnly: z.boolean().optional(),
  deferrable: z.boolean().optional(),
  signal: z.instanceof(AbortSignal, { error: 'must be an AbortSignal' }).optional(),
})

/** @throws DatabaseError DB_VALIDATION naming every wrong option */
export function checkTransactionOptions(options: TransactionOptions): void {
  const parsed = schema.safeParse(options)
  if (parsed.success) return
  const problems = parsed.error.issues.map((issue) =>
    issue.code === 'unrecognized_keys'
      ? `${issue.keys.join(', ')}: is no option`
      : `${issue.path.join('.') || 'options'}: ${issue.message}`,
  )
  throw new DatabaseError('DB_VALIDATION', `Wrong options of a transaction: ${problems.join('; ')}`, {
    action: 'transaction',
    outcome: 'not-sent',
  })
}

/** A savepoint shares its transaction's connection, snapshot and modes. @throws DatabaseError DB_TRANSACTION_MISUSE */
export function refuseOptionsOfRoot(options: TransactionOptions): void {
  const { isolationLevel, maxWaitMs, lockTimeoutMs, readOnly, deferrable } = options
  refuse("a savepoint can't have its own", { isolationLevel, maxWaitMs, lockTimeoutMs, readOnly, deferrable })
}

/** Where no transaction is begun there is none that they could be for. @throws DatabaseError DB_TRANSACTION_MISUSE */
export function refuseAnyOptions({ propagation, ...options }: TransactionOptions): void {
  refuse(`with ${propagation} no transaction is begun here that could have`, options)
}

function refuse(what: string, options: Readonly<Record<string, unknown>>): void {
  const names = Object.keys(options).filter((name) => options[name] !== undefined)
  if (names.length === 0) return
  throw new DatabaseError('DB_TRANSACTION_MISUSE', `Transaction refused: ${what} ${names.join(', ')}`, {
    outcome: 'not-sent',
  })
}
