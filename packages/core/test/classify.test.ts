import {
  type ClassifyHints,
  ConstraintError,
  classify,
  DatabaseError,
  type DatabaseErrorCode,
  DbError,
} from '@org/db-core'
import { metadata } from '@org/prisma/metadata'
import { describe, expect, it } from 'vitest'

/** The shapes as Prisma 7.10, adapter-pg 7.10, pg 8.23 and Node make them. */
const driver = (cause: object): object => ({ name: 'DriverAdapterError', message: 'driver', cause })
const prisma = (code: string, cause?: object, message = 'text'): object => ({
  name: 'PrismaClientKnownRequestError',
  message,
  code,
  meta: cause ? { modelName: 'User', driverAdapterError: driver(cause) } : {},
})
const server = (code: string, extra: object = {}): object =>
  Object.assign(new Error('server text'), { code, severity: 'ERROR', ...extra })
const socket = (code: string): object =>
  Object.assign(new Error('socket'), { code, syscall: 'connect', errno: -1 })

type Row = readonly [
  condition: string,
  error: unknown,
  code: DatabaseErrorCode,
  retryable: boolean,
  outcome: string,
  hints?: ClassifyHints,
]

const write: ClassifyHints = { kind: 'write' }
const read: ClassifyHints = { kind: 'read' }
const inside: ClassifyHints = { kind: 'write', inTransaction: true }
const commit: ClassifyHints = { atCommit: true }

const table: readonly Row[] = [
  [
    'unique, model',
    prisma('P2002', { kind: 'UniqueConstraintViolation', originalCode: '23505' }),
    'DB_UNIQUE_VIOLATION',
    false,
    'rolled-back',
  ],
  [
    'unique, raw',
    prisma('P2010', { kind: 'UniqueConstraintViolation', originalCode: '23505' }),
    'DB_UNIQUE_VIOLATION',
    false,
    'rolled-back',
  ],
  [
    'foreign key, model',
    prisma('P2003', { kind: 'ForeignKeyConstraintViolation', originalCode: '23503' }),
    'DB_FOREIGN_KEY_VIOLATION',
    false,
    'rolled-back',
  ],
  [
    'foreign key, deferred to COMMIT',
    driver({ kind: 'ForeignKeyConstraintViolation', originalCode: '23503' }),
    'DB_FOREIGN_KEY_VIOLATION',
    false,
    'rolled-back',
    commit,
  ],
  [
    'not null, raw',
    prisma('P2010', { kind: 'NullConstraintViolation', originalCode: '23502' }),
    'DB_NOT_NULL_VIOLATION',
    false,
    'rolled-back',
  ],
  [
    'check, model',
    prisma('P2039', { kind: 'postgres', code: '23514', severity: 'ERROR' }),
    'DB_CHECK_VIOLATION',
    false,
    'rolled-back',
  ],
  [
    'exclusion',
    prisma('P2039', { kind: 'postgres', code: '23P01' }),
    'DB_EXCLUSION_VIOLATION',
    false,
    'rolled-back',
  ],
  ['raise exception', prisma('P2010', { kind: 'postgres', code: 'P0001' }), 'DB_QUERY', false, 'rolled-back'],
  [
    'row-level security',
    prisma('P2039', { kind: 'postgres', code: '42501' }),
    'DB_PERMISSION',
    false,
    'rolled-back',
  ],
  ['not found', prisma('P2025'), 'DB_NOT_FOUND', false, 'rolled-back'],
  [
    'deadlock, model',
    prisma('P2034', { kind: 'TransactionWriteConflict', originalCode: '40P01' }),
    'DB_DEADLOCK',
    true,
    'rolled-back',
    inside,
  ],
  [
    'deadlock, raw',
    prisma('P2010', { kind: 'TransactionWriteConflict', originalCode: '40P01' }),
    'DB_DEADLOCK',
    true,
    'rolled-back',
    inside,
  ],
  [
    'serialization, model',
    prisma('P2034', { kind: 'TransactionWriteConflict', originalCode: '40001' }),
    'DB_SERIALIZATION',
    true,
    'rolled-back',
    inside,
  ],
  [
    'serialization at COMMIT',
    driver({ kind: 'TransactionWriteConflict', originalCode: '40001' }),
    'DB_SERIALIZATION',
    true,
    'rolled-back',
    commit,
  ],
  ['write conflict without a code', prisma('P2034'), 'DB_SERIALIZATION', true, 'rolled-back'],
  [
    'statement timeout',
    prisma('P2039', { kind: 'postgres', code: '57014' }),
    'DB_TIMEOUT',
    false,
    'rolled-back',
    write,
  ],
  [
    'after a failed statement',
    prisma('P2010', { kind: 'postgres', code: '25P02' }),
    'DB_TRANSACTION_ABORTED',
    false,
    'rolled-back',
    inside,
  ],
  ['client-side timeout of a write', new Error('Query read timeout'), 'DB_TIMEOUT', false, 'unknown', write],
  [
    'client-side timeout of a read',
    new Error('Query read timeout'),
    'DB_TIMEOUT',
    false,
    'rolled-back',
    read,
  ],
  [
    'pool exhausted',
    new Error('timeout exceeded when trying to connect'),
    'DB_POOL_EXHAUSTED',
    true,
    'not-sent',
  ],
  [
    'no transaction in time',
    prisma('P2028', undefined, 'Transaction API error: Unable to start a transaction in the given time.'),
    'DB_POOL_EXHAUSTED',
    true,
    'not-sent',
  ],
  ['refused, model', prisma('P1001', { kind: 'DatabaseNotReachable' }), 'DB_UNREACHABLE', true, 'not-sent'],
  ['refused, raw', prisma('P2010', { kind: 'DatabaseNotReachable' }), 'DB_UNREACHABLE', true, 'not-sent'],
  ['refused, pool', socket('ECONNREFUSED'), 'DB_UNREACHABLE', true, 'not-sent'],
  [
    'refused on all addresses',
    Object.assign(new AggregateError([socket('ECONNREFUSED')])),
    'DB_UNREACHABLE',
    true,
    'not-sent',
  ],
  ['unknown host', socket('ENOTFOUND'), 'DB_UNREACHABLE', true, 'not-sent'],
  ['DNS gone', socket('EAI_AGAIN'), 'DB_UNREACHABLE', true, 'not-sent'],
  [
    'no such database, model',
    prisma('P1003', { kind: 'DatabaseDoesNotExist', originalCode: '3D000' }),
    'DB_DATABASE_MISSING',
    false,
    'not-sent',
  ],
  ['wrong password', server('28P01'), 'DB_AUTHENTICATION', false, 'not-sent'],
  [
    'no password given',
    new Error('SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string'),
    'DB_AUTHENTICATION',
    false,
    'not-sent',
  ],
  [
    'role refused',
    prisma('P1010', { kind: 'DatabaseAccessDenied', originalCode: '28000' }),
    'DB_AUTHENTICATION',
    false,
    'not-sent',
  ],
  [
    'killed while writing',
    prisma('P2010', { kind: 'postgres', code: '57P01', severity: 'FATAL' }),
    'DB_SHUTDOWN',
    false,
    'unknown',
    write,
  ],
  [
    'killed while reading',
    prisma('P2010', { kind: 'postgres', code: '57P01', severity: 'FATAL' }),
    'DB_SHUTDOWN',
    true,
    'rolled-back',
    read,
  ],
  [
    'killed in a transaction',
    prisma('P2010', { kind: 'postgres', code: '57P01', severity: 'FATAL' }),
    'DB_SHUTDOWN',
    true,
    'rolled-back',
    inside,
  ],
  [
    'killed at COMMIT',
    driver({ kind: 'postgres', code: '57P01', severity: 'FATAL' }),
    'DB_AMBIGUOUS_COMMIT',
    false,
    'unknown',
    commit,
  ],
  ['server starting', server('57P03', { severity: 'FATAL' }), 'DB_SHUTDOWN', true, 'not-sent', write],
  [
    'found dead before use',
    new Error('Client has encountered a connection error and is not queryable'),
    'DB_CONNECTION_LOST',
    true,
    'not-sent',
    write,
  ],
  [
    'found dead before COMMIT',
    new Error('Client has encountered a connection error and is not queryable'),
    'DB_CONNECTION_LOST',
    true,
    'rolled-back',
    commit,
  ],
  [
    'FIN while writing',
    new Error('Connection terminated unexpectedly'),
    'DB_CONNECTION_LOST',
    false,
    'unknown',
    write,
  ],
  [
    'FIN while reading',
    new Error('Connection terminated unexpectedly'),
    'DB_CONNECTION_LOST',
    true,
    'rolled-back',
    read,
  ],
  [
    'FIN during COMMIT',
    new Error('Connection terminated unexpectedly'),
    'DB_AMBIGUOUS_COMMIT',
    false,
    'unknown',
    commit,
  ],
  [
    'RST, model',
    prisma('P1017', { kind: 'ConnectionClosed' }),
    'DB_CONNECTION_LOST',
    false,
    'unknown',
    write,
  ],
  ['RST, raw', prisma('P2010', { kind: 'ConnectionClosed' }), 'DB_CONNECTION_LOST', false, 'unknown', write],
  [
    'RST during COMMIT',
    driver({ kind: 'ConnectionClosed' }),
    'DB_AMBIGUOUS_COMMIT',
    false,
    'unknown',
    commit,
  ],
  [
    'connect stalls',
    new Error('Connection terminated due to connection timeout'),
    'DB_UNREACHABLE',
    true,
    'not-sent',
  ],
  [
    'pooler full',
    prisma('P2039', { kind: 'postgres', code: '08P01', message: 'query_wait_timeout' }),
    'DB_POOL_EXHAUSTED',
    true,
    'not-sent',
    write,
  ],
  [
    'pooler takes no clients',
    server('08P01', { message: 'no more connections allowed (max_client_conn)' }),
    'DB_TOO_MANY_CONNECTIONS',
    true,
    'not-sent',
  ],
  ['server full', server('53300', { severity: 'FATAL' }), 'DB_TOO_MANY_CONNECTIONS', true, 'not-sent'],
  [
    'named statement through a pooler',
    prisma('P2039', { kind: 'postgres', code: '42P05' }),
    'DB_QUERY',
    false,
    'rolled-back',
  ],
  [
    'transaction over',
    prisma('P2028', undefined, 'Transaction API error: Transaction already closed'),
    'DB_TRANSACTION_CLOSED',
    false,
    'rolled-back',
    inside,
  ],
  ['lock timeout', server('55P03'), 'DB_LOCK_TIMEOUT', true, 'rolled-back'],
  ['read-only', server('25006'), 'DB_READ_ONLY', false, 'rolled-back'],
  ['disk full', server('53100'), 'DB_OUT_OF_RESOURCES', false, 'rolled-back'],
  ['bad value', server('22P02'), 'DB_VALIDATION', false, 'rolled-back'],
  [
    'no TLS on the server',
    new Error('The server does not support SSL connections'),
    'DB_TLS',
    false,
    'not-sent',
  ],
  [
    'certificate',
    Object.assign(new Error('self-signed certificate'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }),
    'DB_TLS',
    false,
    'not-sent',
  ],
  [
    'pool closed',
    new Error('Cannot use a pool after calling end on the pool'),
    'DB_CLOSED',
    false,
    'not-sent',
  ],
]

describe('classify', () => {
  it.each(table.map((row) => ({ row, condition: row[0] })))('$condition', ({ row }) => {
    const [, error, code, retryable, outcome, hints] = row
    const found = classify(error, hints)
    expect(found).toBeInstanceOf(DatabaseError)
    expect(found).toMatchObject({ code, retryable, outcome, cause: error })
  })

  it('leaves errors alone that are none of the database', () => {
    for (const error of [new TypeError('mine'), 'text', undefined, null, 7, { name: 'Other' }]) {
      expect(classify(error)).toBeUndefined()
    }
  })

  it('returns an error of the family as it is', () => {
    const error = new DbError('DB_X', 'known')
    expect(classify(error)).toBe(error)
  })

  it('turns the constraint into the fields of the model', () => {
    const found = classify(
      prisma('P2002', {
        kind: 'UniqueConstraintViolation',
        originalCode: '23505',
        constraint: { index: 'post_author_id_title_key' },
        table: 'post',
      }),
      { metadata, model: 'Post', action: 'create' },
    )
    expect(found).toBeInstanceOf(ConstraintError)
    expect(found).toMatchObject({
      model: 'Post',
      constraint: 'post_author_id_title_key',
      fields: ['authorId', 'title'],
      table: 'post',
    })
    expect(found?.message).toBe(
      'Post.create broke the unique constraint post_author_id_title_key on authorId, title',
    )
  })

  it('turns the column of a not-null violation into the field', () => {
    const text = 'null value in column "author_id" of relation "post" violates not-null constraint'
    const found = classify(
      prisma('P2010', { kind: 'NullConstraintViolation', originalCode: '23502', originalMessage: text }),
      { metadata },
    )
    expect(found).toMatchObject({ fields: ['authorId'], table: 'post' })
  })

  it('keeps values out of messages and JSON', () => {
    const secret = 'hunter2@example.org'
    const errors = [
      server('22P02', { message: `invalid input syntax for type integer: "${secret}"` }),
      server('P0001', { message: `no account ${secret}` }),
      server('23505', {
        message: 'duplicate key',
        detail: `Key (email)=(${secret}) already exists.`,
        constraint: 'users_email_key',
      }),
      {
        name: 'PrismaClientValidationError',
        message: `Invalid invocation: { where: { email: "${secret}" } } Unknown argument \`emial\`. Did you mean \`email\`?`,
      },
      prisma('P2010', { kind: 'postgres', code: 'XX000', message: secret, detail: secret, hint: secret }),
    ]
    for (const error of errors) {
      const found = classify(error, { model: 'User', action: 'create' })
      expect(JSON.stringify(found) + found?.message).not.toContain(secret)
    }
  })

  it('names the wrong argument of a refused call', () => {
    const error = {
      name: 'PrismaClientValidationError',
      message: 'text { a: 1 } Unknown argument `emial`. Did you mean `email`?',
    }
    expect(classify(error, { model: 'User', action: 'findMany' })?.message).toContain(
      'Unknown argument `emial`',
    )
  })
})
