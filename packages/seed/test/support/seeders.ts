import { BaseSeeder, type SeedWork } from '@org/db-seed'
import { person, rowFaker } from '@org/db-seed/faker'
import { countries } from '@org/db-seed/reference'
import type { SeededDatabase } from './seed-database.ts'

type Work = SeedWork<SeededDatabase>

export class Regions extends BaseSeeder<SeededDatabase> {
  readonly name = 'regions'
  override readonly tier = 'reference'

  async load({ put }: Work): Promise<void> {
    await put('region', {
      key: ['code'],
      rows: countries().map(({ alpha2, name }) => ({ code: alpha2, name })),
    })
  }
}

export class Projects extends BaseSeeder<SeededDatabase> {
  readonly name = 'projects'
  override readonly tier = 'organisations'
  override readonly dependsOn = ['regions']

  async load({ put, among, generate, organisation = '' }: Work): Promise<void> {
    const codes = countries().map(({ alpha2 }) => alpha2)
    const regions = among(codes, { name: 'regions' })
    await put('project', {
      key: ['tenantId', 'code'],
      rows: generate({
        name: 'projects',
        count: 20,
        row: (row) => ({
          tenantId: organisation,
          code: row.code({ length: 5 }),
          name: `Project ${row.index + 1}`,
          budget: row.random.int(1, 1_000) * 100,
          regionCode: regions.pick(row, { zipf: 1 }),
        }),
      }),
    })
  }
}

export class People extends BaseSeeder<SeededDatabase> {
  readonly name = 'people'

  async load({ put, generate, count }: Work): Promise<void> {
    const fake = rowFaker()
    await put('user', {
      key: ['email'],
      rows: generate({
        name: 'people',
        count: count(1_000),
        row: (row) => {
          const { email, name } = person(fake(row), row)
          return { email, name, createdAt: row.random.date(new Date('2020-01-01'), new Date('2026-01-01')) }
        },
      }),
    })
  }
}

export class Posts extends BaseSeeder<SeededDatabase> {
  readonly name = 'posts'
  override readonly dependsOn = ['people']

  async load({ put, generate, references, count }: Work): Promise<void> {
    const authors = await references('user', { field: 'id', by: ['email'] })
    const fake = rowFaker()
    await put('post', {
      key: ['slug'],
      rows: generate({
        name: 'posts',
        count: count(5_000),
        row: (row) => ({
          slug: row.code({ length: 8, of: 'slug' }),
          title: `${fake(row).company.catchPhrase()} ${row.index}`,
          views: row.random.int(0, 10_000),
          authorId: authors.pick(row, { zipf: 1 }),
        }),
      }),
    })
  }

  override async check({ db }: Work): Promise<readonly string[]> {
    const empty = await db.post.count({ where: { title: '' } })
    return empty === 0 ? [] : [`${empty} posts have no title`]
  }
}
