import { markEnvironment } from '@org/db-core/environment'
import { BaseSeeder, createSeeds, type SeedReport } from '@org/db-seed'
import { describe, expect, it } from 'vitest'
import { type SeededDatabase, type SeedStage, seedStage } from './support/seed-database.ts'
import { People, Posts, Projects, Regions } from './support/seeders.ts'

const seeders = [new Posts(), new People(), new Projects(), new Regions()]
const seedsOf = ({ db }: Pick<SeedStage, 'db'>, more: object = {}) =>
  createSeeds({ db, seeders, organisations: ['acme', 'zeta'], scale: 0.1, ...more })
const brief = ({ results }: SeedReport): readonly string[] =>
  results.map(
    ({ seeder, organisation, status, created, updated, unchanged, deleted }) =>
      `${seeder}${organisation ? ` ${organisation}` : ''} ${status} ${created} ${updated} ${unchanged} ${deleted}`,
  )

/** Which transactions have written the rows of each table, and what its sequence says. */
async function transactionsOf({ db }: SeedStage): Promise<Readonly<Record<string, string>>> {
  const of = async (table: string): Promise<string> => {
    const [row] = await db.sql.query<{ hash: string }>(
      `SELECT md5(string_agg(xmin::text || ctid::text, ',' ORDER BY ctid)) AS hash FROM ${table}`,
    )
    return row?.hash ?? ''
  }
  const [sequence] = await db.sql.query<{ last: string }>('SELECT last_value::text AS last FROM post_id_seq')
  return {
    region: await of('region'),
    project: await of('project'),
    users: await of('users'),
    post: await of('post'),
    seed: await of('orgdb.seed'),
    sequence: sequence?.last ?? '',
  }
}

describe('createSeeds', () => {
  it('runs reference data, organisations and demo in their order, and the second time writes nothing', async () => {
    await using stage = await seedStage()
    const seeds = seedsOf(stage)
    const first = await seeds.all({ demo: true })
    expect(first.results.flatMap(({ errors }) => errors)).toEqual([])
    expect(brief(first)).toEqual([
      'regions done 249 0 0 0',
      'projects acme done 20 0 0 0',
      'projects zeta done 20 0 0 0',
      'people done 100 0 0 0',
      'posts done 500 0 0 0',
    ])
    expect(first).toMatchObject({ created: 889, ok: true })
    const before = await transactionsOf(stage)
    const again = await seeds.all({ demo: true })
    expect(new Set(again.results.map(({ status }) => status))).toEqual(new Set(['unchanged']))
    expect(await transactionsOf(stage)).toEqual(before)
    expect(await seeds.validate({ demo: true })).toMatchObject({ ok: true, unchanged: 889 })
    expect(await transactionsOf(stage)).toEqual(before)
    const forced = await seeds.all({ demo: true, force: true })
    expect(forced).toMatchObject({ created: 0, updated: 0, unchanged: 889 })
    expect({ ...(await transactionsOf(stage)), seed: '' }).toEqual({ ...before, seed: '' })
  })

  it('puts back what is missing or was changed, and leaves alone what is not its own', async () => {
    await using stage = await seedStage()
    const seeds = seedsOf(stage)
    await seeds.all()
    await stage.db.region.delete({ where: { code: 'AQ' } })
    await stage.db.region.update({ where: { code: 'DE' }, data: { name: 'Somewhere' } })
    await stage.db.region.create({ data: { code: 'ZZZ', name: 'Mine' } })
    const found = await seeds.validate({ only: ['regions'] })
    expect(found).toMatchObject({ ok: false })
    expect(found.results.flatMap(({ problems }) => problems)).toEqual([
      'Region: 1 rows are missing',
      'Region: 1 rows have other values',
    ])
    const repaired = await seeds.all({ force: true, only: ['regions'] })
    expect(brief(repaired)[0]).toBe('regions done 1 1 247 0')
    expect(
      await stage.db.region.findMany({
        where: { code: { in: ['AQ', 'DE', 'ZZZ'] } },
        orderBy: { code: 'asc' },
      }),
    ).toEqual([
      { code: 'AQ', name: 'Antarctica' },
      { code: 'DE', name: 'Germany' },
      { code: 'ZZZ', name: 'Mine' },
    ])
  })

  it('seeds one organisation, with the reference data it needs', async () => {
    await using stage = await seedStage()
    const seeds = seedsOf(stage)
    expect(brief(await seeds.organisation('new'))).toEqual([
      'regions done 249 0 0 0',
      'projects new done 20 0 0 0',
    ])
    await seeds.organisation('other')
    expect(brief(await seeds.organisation('new', { clean: true }))).toEqual([
      'projects new done 0 0 0 20',
      'regions unchanged 0 0 0 0',
      'projects new done 20 0 0 0',
    ])
    const rows = await stage.db.project.groupBy({
      by: ['tenantId'],
      _count: true,
      orderBy: { tenantId: 'asc' },
    })
    expect(rows).toEqual([
      { tenantId: 'new', _count: 20 },
      { tenantId: 'other', _count: 20 },
    ])
  })

  it('cleans what it has put, the last first, and nothing else', async () => {
    await using stage = await seedStage()
    const seeds = seedsOf(stage)
    await seeds.all({ demo: true })
    await stage.db.user.create({ data: { email: 'me@example.com' } })
    const cleaned = await seeds.clean()
    expect(brief(cleaned)).toEqual([
      'posts done 0 0 0 500',
      'people done 0 0 0 100',
      'projects zeta done 0 0 0 20',
      'projects acme done 0 0 0 20',
      'regions done 0 0 0 249',
    ])
    expect(await stage.db.user.findMany({ select: { email: true } })).toEqual([{ email: 'me@example.com' }])
    expect(await seeds.ledger()).toEqual([])
  })

  it('keeps nothing of a seeder that fails, leaves out those that need it, and runs the rest', async () => {
    await using stage = await seedStage()
    class Broken extends People {
      override async load(work: Parameters<People['load']>[0]): Promise<void> {
        await super.load(work)
        await work.put('post', {
          key: ['slug'],
          rows: [{ slug: 'a', title: 'A', authorId: -1 }],
        })
      }
    }
    const report = await seedsOf(stage, { seeders: [new Broken(), new Posts(), new Regions()] }).all({
      demo: true,
    })
    expect(report.ok).toBe(false)
    expect(brief(report)).toEqual(['regions done 249 0 0 0', 'people failed 0 0 0 0', 'posts failed 0 0 0 0'])
    expect(report.results.map(({ errors }) => errors.map((error) => Reflect.get(error, 'code')))).toEqual([
      [],
      ['DB_FOREIGN_KEY_VIOLATION'],
      ['DB_SEED_BLOCKED'],
    ])
    expect(await stage.db.user.count()).toBe(0)
  })

  it('leaves out of production what is made up, and cleans nothing there', async () => {
    await using stage = await seedStage()
    const db = { ...stage.db, config: { ...stage.db.config, environment: 'production' } }
    const production = new Proxy(stage.db, {
      get: (target, name) => (name === 'config' ? db.config : Reflect.get(target, name)),
    }) as SeededDatabase
    const seeds = seedsOf({ db: production })
    const report = await seeds.all({ demo: true })
    expect(brief(report)).toEqual([
      'regions done 249 0 0 0',
      'projects acme left-out 0 0 0 0',
      'projects zeta left-out 0 0 0 0',
      'people left-out 0 0 0 0',
      'posts left-out 0 0 0 0',
    ])
    const cleaned = await seeds.clean({ only: ['regions'] })
    expect(cleaned.results[0]?.errors).toMatchObject([{ code: 'DB_SEED_REFUSED' }])
    class ProductionDemo extends People {
      override readonly environments = ['production'] as const
    }
    expect(() => seedsOf(stage, { seeders: [new ProductionDemo()] })).toThrow(/demo/)
  })

  it('refuses a database that is marked as another environment’s', async () => {
    await using stage = await seedStage()
    await markEnvironment(stage.db.sql, 'production')
    const report = await seedsOf(stage).all()
    expect(report.results[0]).toMatchObject({
      status: 'failed',
      errors: [{ code: 'DB_ENVIRONMENT_MISMATCH', marked: 'production' }],
    })
    expect(await stage.db.region.count()).toBe(0)
  })

  it('lets one of two runners do the work', async () => {
    await using stage = await seedStage()
    const other = stage.open({})
    const reports = await Promise.all([
      seedsOf(stage).all({ demo: true }),
      seedsOf({ db: other }).all({ demo: true }),
    ])
    expect(reports.map(({ ok }) => ok)).toEqual([true, true])
    expect(reports.reduce((sum, { created }) => sum + created, 0)).toBe(889)
  })

  it('says what does not fit together', async () => {
    await using stage = await seedStage()
    class Named extends BaseSeeder<SeededDatabase> {
      readonly name: string
      override readonly dependsOn: readonly string[]
      constructor(name: string, dependsOn: readonly string[] = []) {
        super()
        this.name = name
        this.dependsOn = dependsOn
      }
      load(): Promise<void> {
        return Promise.resolve()
      }
    }
    const cases: readonly (readonly [BaseSeeder<SeededDatabase>[], RegExp])[] = [
      [[new Named('a'), new Named('a')], /two seeders a/],
      [[new Named('a', ['b'])], /depends on b, which is not there/],
      [[new Named('a', ['b']), new Named('b', ['a'])], /a → b → a/],
      [
        [
          new Posts(),
          new People(),
          new (class extends Regions {
            override readonly dependsOn = ['people']
          })(),
        ],
        /later tier/,
      ],
    ]
    for (const [list, message] of cases) expect(() => seedsOf(stage, { seeders: list })).toThrow(message)
    await expect(seedsOf(stage).all({ only: ['nobody'] })).rejects.toMatchObject({
      code: 'DB_SEED_NOT_FOUND',
    })
  })
})
