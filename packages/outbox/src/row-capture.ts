import type { Next, Operation, SqlExecutor } from '@org/db-core'
import type { CapturedModel } from './captured-models.ts'
import { OutboxError } from './errors.ts'
import { idJson } from './row-sql.ts'

type Row = Readonly<Record<string, unknown>>

/** A row as it was: its key as columns, its event key, all of it as JSON text, whose numbers JavaScript could spoil. */
interface Image {
  readonly id: Row
  readonly key: string
  readonly row: string
}

interface WriteArgs {
  readonly where?: object
  readonly data?: unknown
  readonly create?: unknown
  readonly update?: unknown
  readonly select?: Row
  readonly omit?: Row
}

/**
 * Performs a write of a captured model and puts what it changed into the feed, in the same transaction. The rows are
 * read back by SQL, so that an event has all of the row, whatever the caller selected, as the server stored it.
 */
export async function captureWrite(
  operation: Operation,
  next: Next,
  {
    model,
    sql,
    headers,
  }: { readonly model: CapturedModel; readonly sql: SqlExecutor; readonly headers: Row | null },
): Promise<unknown> {
  const { rows } = model
  const args = (operation.args ?? {}) as WriteArgs
  const select = Object.fromEntries(rows.metadata.id.map((field) => [field, true]))
  const ask = (action: string, given: object): Promise<unknown> => next({ ...operation, action, args: given })

  /** The rows that `where` means, locked, as they are now. */
  async function lock(action: 'findUnique' | 'findMany'): Promise<readonly Image[]> {
    const found = await ask(action, { where: args.where, select })
    const list = (Array.isArray(found) ? found : found === null ? [] : [found]) as readonly Row[]
    if (list.length === 0) return []
    return sql.query<Image & { readonly id: Row }>(
      `SELECT ${rows.id('t')} AS id, ${rows.key('t')} AS key, (${rows.row('t')})::text AS row
       FROM ${rows.table} t JOIN jsonb_populate_recordset(NULL::${rows.table}, $1::jsonb) k ON ${joined('k')}
       ORDER BY ${rows.idColumns.map((column) => `t.${column}`).join(', ')} FOR UPDATE OF t`,
      [JSON.stringify(list.map((row) => idJson(rows.metadata, row)))],
    )
  }

  const joined = (other: string): string =>
    rows.idColumns.map((column) => `t.${column} = ${other}.${column}`).join(' AND ')

  /** Events of rows that are there, with the images of before where there are any. */
  async function stored(op: 'c' | 'u', ids: readonly Row[], images: readonly Image[] = []): Promise<void> {
    if (ids.length === 0) return
    await sql.query(
      `INSERT INTO orgdb.outbox (topic, key, op, payload, before, headers)
       SELECT $2, ${rows.key('t')}, CASE WHEN $6 AND b.key IS NULL THEN 'c' ELSE $3 END, ${rows.row('t')},
         CASE WHEN $7 THEN b.row::jsonb END, $4::jsonb
       FROM ROWS FROM (jsonb_populate_recordset(NULL::${rows.table}, $1::jsonb)) WITH ORDINALITY k
       JOIN ${rows.table} t ON ${joined('k')}
       LEFT JOIN jsonb_to_recordset($5::jsonb) AS b(key text, row text) ON b.key = ${rows.key('t')}
       ORDER BY k.ordinality`,
      [
        JSON.stringify(ids.map((row) => idJson(rows.metadata, row))),
        rows.model,
        op,
        headersJson(),
        JSON.stringify(images),
        // A row with another key is another row.
        op === 'u' && images.length > 0,
        model.before,
      ],
    )
  }

  /** Events of those rows that are not there any more. */
  async function gone(images: readonly Image[]): Promise<void> {
    if (images.length === 0) return
    await sql.query(
      `INSERT INTO orgdb.outbox (topic, key, op, before, headers)
       SELECT $2, b.key, 'd', b.row::jsonb, $3::jsonb
       FROM jsonb_to_recordset($1::jsonb) AS b(key text, row text, id jsonb)
       CROSS JOIN LATERAL jsonb_populate_record(NULL::${rows.table}, b.id) k
       WHERE NOT EXISTS (SELECT FROM ${rows.table} t WHERE ${joined('k')})`,
      [JSON.stringify(images), rows.model, headersJson()],
    )
  }

  const headersJson = (): string | null => (headers === null ? null : JSON.stringify(headers))
  const withIds = (): { readonly given: object; readonly strip: (row: unknown) => unknown } =>
    withKey(args, rows.metadata.id)
  const mustLook = model.before || touches(args.data ?? args.update, rows.metadata.id)

  /** Only the rows that were locked: others that match by now were not there when this began. */
  const locked = (images: readonly Image[]): object => ({
    ...args,
    where: { AND: [args.where ?? {}, { OR: images.map(({ id }) => whereOf(id, model)) }] },
  })

  switch (operation.action) {
    case 'create': {
      const { given, strip } = withIds()
      const result = await next({ ...operation, args: given })
      await stored('c', [result as Row])
      return strip(result)
    }
    case 'createMany': {
      const created = (await ask('createManyAndReturn', { ...args, select })) as readonly Row[]
      await stored('c', created)
      return { count: created.length }
    }
    case 'createManyAndReturn': {
      const { given, strip } = withIds()
      const created = (await next({ ...operation, args: given })) as readonly Row[]
      await stored('c', created)
      return created.map(strip)
    }
    case 'update': {
      const images = mustLook ? await lock('findUnique') : []
      const { given, strip } = withIds()
      const result = await next({ ...operation, args: given })
      await gone(images)
      await stored('u', [result as Row], images)
      return strip(result)
    }
    case 'updateMany':
    case 'updateManyAndReturn': {
      const images = mustLook ? await lock('findMany') : []
      const isCount = operation.action === 'updateMany'
      if (mustLook && images.length === 0) return isCount ? { count: 0 } : []
      const { given, strip } = isCount ? { given: { ...args, select }, strip: undefined } : withIds()
      const narrowed = mustLook ? { ...given, where: (locked(images) as WriteArgs).where } : given
      const updated = (await ask('updateManyAndReturn', narrowed)) as readonly Row[]
      await gone(images)
      await stored('u', updated, images)
      return strip ? updated.map(strip) : { count: updated.length }
    }
    case 'upsert': {
      const images = await lock('findUnique')
      const { given, strip } = withIds()
      const result = await next({ ...operation, args: given })
      await gone(images)
      await stored(images.length > 0 ? 'u' : 'c', [result as Row], images)
      return strip(result)
    }
    case 'delete': {
      const images = await lock('findUnique')
      const result = await next(operation)
      await gone(images)
      return result
    }
    case 'deleteMany': {
      const images = await lock('findMany')
      if (images.length === 0) return { count: 0 }
      const result = await ask('deleteMany', locked(images))
      await gone(images)
      return result
    }
    default:
      throw new OutboxError(
        'DB_OUTBOX_UNSEEN_WRITE',
        `What ${operation.action} does to ${rows.model} is not known`,
      )
  }
}

/** The arguments with the key selected, and what takes it out of the result again. */
function withKey(
  args: WriteArgs,
  ids: readonly string[],
): { readonly given: object; readonly strip: (row: unknown) => unknown } {
  const { select, omit } = args
  const hidden = ids.filter((field) => (select ? !select[field] : omit?.[field]))
  if (hidden.length === 0) return { given: args, strip: (row) => row }
  const shown = Object.fromEntries(hidden.map((field) => [field, select !== undefined]))
  return {
    given: { ...args, ...(select ? { select: { ...select, ...shown } } : { omit: { ...omit, ...shown } }) },
    strip: (row) =>
      Object.fromEntries(Object.entries(row as Row).filter(([field]) => !hidden.includes(field))),
  }
}

function touches(data: unknown, fields: readonly string[]): boolean {
  return typeof data === 'object' && data !== null && fields.some((field) => field in data)
}

/** The key as Prisma's condition; what JSON turned into text is made what Prisma wants. */
function whereOf(id: Row, { rows: { metadata } }: CapturedModel): Row {
  return Object.fromEntries(
    metadata.id.map((field) => {
      const { column = field, type } = metadata.fields[field] ?? {}
      const value = id[column]
      if (type === 'BigInt') return [field, BigInt(String(value))]
      if (type === 'DateTime') return [field, dateOf(String(value))]
      if (type === 'Bytes') return [field, new Uint8Array(Buffer.from(String(value).slice(2), 'hex'))]
      return [field, value]
    }),
  )
}

/** A date, time or timestamp as PostgreSQL's JSON has it; what has no zone is UTC, as it is for Prisma. */
function dateOf(text: string): Date {
  const full = /^\d+:/u.test(text) ? `1970-01-01T${text}` : text
  return new Date(/T.*(Z|[+-]\d\d(:\d\d)?)$/u.test(full) || !full.includes('T') ? full : `${full}Z`)
}
