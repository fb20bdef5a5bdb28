import { isDbError } from '@org/db-core'
import type { Database } from '@org/db-core/client'
import type { PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'
import { foreignMarks, numberOf, tenantFields, tenantName, textOf } from './marks.ts'
import { createRandom, type Random } from './random.ts'
import { createGenerator, type RandomOperation } from './random-operation.ts'

/** How the writers go about it. */
export interface AttackOptions {
  readonly db: Database<PrismaClient>
  readonly tenants: number
  /** Only the first so many do anything. */
  readonly active: number
  readonly rows: number
  readonly writers: number
  readonly seconds: number
  readonly seed: number
  readonly fillsTenant: boolean
  /** Whether raw SQL is sent too. */
  readonly raw: boolean
  readonly signal: AbortSignal
}

/** What came of it. */
export interface AttackResult {
  readonly operations: number
  /** Operations that were carried out. */
  readonly succeeded: number
  /** Refusals by code. */
  readonly refused: ReadonlyMap<string, number>
  /** What a tenant got to see that is not its own. */
  readonly seen: readonly string[]
  /** Errors that are none of ours. */
  readonly strange: readonly string[]
}

type Work = () => PromiseLike<unknown>

/** Lets writers act for random tenants until the time is up, and looks at everything that they get. */
export async function attack(options: AttackOptions): Promise<AttackResult> {
  const { db, active, rows, tenants, writers, seed, fillsTenant } = options
  const refused = new Map<string, number>()
  const seen: string[] = []
  const strange: string[] = []
  let operations = 0
  let succeeded = 0
  let number = seed * 20_000
  const endsAt = Date.now() + options.seconds * 1_000

  function look(result: unknown, tenant: number, what: string): void {
    const marks = foreignMarks(result, tenant)
    if (marks.length > 0 && seen.length < 100) seen.push(`${tenantName(tenant)} saw ${marks[0]} by ${what}`)
  }

  async function attempt(tenant: number, what: string, work: Work): Promise<boolean> {
    operations += 1
    try {
      look(await work(), tenant, what)
      succeeded += 1
      return true
    } catch (error) {
      if (error === rollback) return true
      const code = isDbError(error) ? error.code : 'none'
      if (code === 'none' && strange.length < 100) strange.push(`${what}: ${String(error).slice(0, 300)}`)
      refused.set(code, (refused.get(code) ?? 0) + 1)
      return false
    }
  }

  async function writer(index: number): Promise<void> {
    const random = createRandom(seed * 1_000 + index)
    const nextNumber = (): number => {
      number += 1
      return number
    }
    const { operation } = createGenerator({ random, tenants, rows, nextNumber, fillsTenant })
    const call = (tenant: number): { readonly what: string; readonly work: Work } => {
      if (options.raw && random.chance(0.15)) return rawCall(db, random, tenant, tenants)
      const made = operation(tenant)
      return { what: `${made.model}.${made.action} ${JSON.stringify(made.args)}`, work: () => run(db, made) }
    }
    while (Date.now() < endsAt && !options.signal.aborted) {
      const tenant = random.below(active)
      const inTenant = <T>(work: () => T): T => db.run({ tenant: tenantName(tenant) }, work)
      const kind = random.below(10)
      if (kind < 6) {
        const { what, work } = call(tenant)
        await inTenant(() => attempt(tenant, what, work))
      } else if (kind < 7) {
        const made = [operation(tenant), operation(tenant)]
        const what = `batch ${JSON.stringify(made)}`
        await inTenant(() =>
          attempt(tenant, what, async () => db.$transaction(made.map((each) => run(db, each)) as never)),
        )
      } else if (kind < 9) {
        await inTenant(() => attempt(tenant, 'transaction', () => transaction(tenant, random, call)))
      } else await burst(random)
    }
  }

  /** Several statements, some in savepoints; one in three is rolled back at the end. */
  function transaction(
    tenant: number,
    random: Random,
    call: (tenant: number) => { readonly what: string; readonly work: Work },
  ): Promise<void> {
    return db.transaction(async () => {
      for (let left = 1 + random.below(3); left > 0; left -= 1) {
        const { what, work } = call(tenant)
        const inner = async (): Promise<void> => look(await work(), tenant, what)
        // What failed has to be undone before the transaction can go on.
        await db.transaction(inner).catch((error: unknown) => {
          if (!isDbError(error)) throw error
        })
      }
      if (random.chance(0.3)) throw rollback
    })
  }

  /** Reads of several tenants, made in one tick and awaited elsewhere: what Prisma merges. */
  async function burst(random: Random): Promise<void> {
    const target = random.below(tenants)
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        const tenant = random.chance(0.3) ? Math.min(target, active - 1) : random.below(active)
        const id = numberOf(random.chance(0.5) ? tenant : target, 1 + random.below(rows))
        const made = db.run({ tenant: tenantName(tenant) }, () =>
          db.task.findUnique({ where: { id }, ...(random.chance(0.3) && { include: { project: true } }) }),
        )
        await attempt(tenant, `findUnique of task ${id} in a burst`, () => made)
      }),
    )
  }

  await Promise.all(Array.from({ length: writers }, (_, index) => writer(index)))
  options.signal.throwIfAborted()
  return { operations, succeeded, refused, seen, strange }
}

const rollback = new Error('rolled back on purpose')

function run(db: Database<PrismaClient>, { delegate, action, args }: RandomOperation): PromiseLike<unknown> {
  const methods = Reflect.get(db, delegate) as Record<string, (args: object) => PromiseLike<unknown>>
  return (methods[action] as (args: object) => PromiseLike<unknown>)(args)
}

/** SQL that knows nothing of tenants, by each of the ways to send it. */
function rawCall(
  db: Database<PrismaClient>,
  random: Random,
  tenant: number,
  tenants: number,
): { readonly what: string; readonly work: Work } {
  const model = random.pick([...tenantFields.keys()])
  const { table, fields } = metadata.models[model] as (typeof metadata.models)[string]
  const own = fields[tenantFields.get(model) ?? '']?.column
  const text = Object.values(fields).find(
    ({ type, nativeType, column }) =>
      type === 'String' && !nativeType && column !== own && column !== 'code' && table !== 'label',
  )?.column
  const other = tenantName(random.below(tenants))
  const mark = textOf(tenant, `raw-${random.below(1_000_000)}`)
  const statements = [
    `SELECT * FROM "${table}"`,
    `SELECT * FROM "${table}" WHERE "${own}" = '${other}'`,
    `SELECT l.* FROM "_LabelToTask" j JOIN label l ON l.id = j."A"`,
    `SELECT "A", "B" FROM "_LabelToTask"`,
    `SELECT p.name, t.title, c.body FROM project p JOIN task t ON t.project_id = p.id LEFT JOIN comment c ON c.task_id = t.id`,
    `DELETE FROM "${table}" WHERE "${own}" <> '${tenantName(tenant)}' RETURNING *`,
    ...(text === undefined ? [] : [`UPDATE "${table}" SET "${text}" = '${mark}' RETURNING *`]),
  ]
  const sql = random.pick(statements)
  const ways: readonly Work[] = [
    () => db.$queryRawUnsafe(sql),
    () => db.sql.query(sql),
    () =>
      db.sql.query(`${sql.replace(' RETURNING *', '')} ${sql.includes('WHERE') ? 'AND' : 'WHERE'} $1`, [
        true,
      ]),
    () => db.sql.transaction((tx) => tx.query(sql)),
    () => db.$executeRawUnsafe(sql),
  ]
  return { what: sql, work: random.pick(ways) }
}
