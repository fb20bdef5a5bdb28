import { describe, expect, it } from 'vitest'
import type { IndexDeclaration } from '../src/index.ts'
import { project } from './project.ts'

const declarations: readonly IndexDeclaration[] = [
  { table: 'film', on: ['genre', 'id'] },
  { table: 'film', on: ['year DESC NULLS LAST'], name: 'film_recent' },
  { table: 'film', on: ['title'], where: "status = 'open' AND year > 2000" },
  { table: 'film', on: ['lower(title)'], unique: true },
  { table: 'film', on: ['tags'], method: 'gin' },
  { table: 'film', on: ['data jsonb_path_ops'], method: 'gin' },
  { table: 'film', on: ['year'], include: ['title'] },
  { table: 'public.film', on: ["((data ->> 'a'))"], where: 'title IS NOT NULL' },
]

describe('checkIndexes', () => {
  it('tells what is missing, and its statements make it so', async () => {
    await using folder = await project({
      '1_film':
        'CREATE TABLE film (id int PRIMARY KEY, title text, status text, year int, genre text, tags text[], data jsonb);',
    })
    const migrator = folder.migrator()
    await migrator.deploy()
    const missing = await migrator.checkIndexes(declarations)
    expect(missing.map(({ problem }) => problem)).toEqual(declarations.map(() => 'missing'))
    for (const { fix } of missing) await folder.rows(fix)
    expect(await migrator.checkIndexes(declarations)).toEqual([])
  })

  it('is not content with an index that is nearly the same, or not in use', async () => {
    await using folder = await project({
      '1_film':
        'CREATE TABLE film (id int, a int, b int); CREATE INDEX ON film (b, a); CREATE INDEX ON film (a) WHERE b > 1;',
    })
    const migrator = folder.migrator()
    await migrator.deploy()
    await folder.rows('INSERT INTO film VALUES (1), (1)')
    await folder.rows('CREATE UNIQUE INDEX CONCURRENTLY broken ON film (id)').catch(() => undefined)
    const problems = await migrator.checkIndexes([
      { table: 'film', on: ['a', 'b'] },
      { table: 'film', on: ['a'], where: 'b > 2' },
      { table: 'film', on: ['b', 'a'], unique: true },
      { table: 'film', on: ['id'], unique: true },
    ])
    expect(problems.map(({ problem, found }) => [problem, found])).toEqual([
      ['missing', undefined],
      ['missing', undefined],
      ['missing', undefined],
      ['invalid', 'broken'],
    ])
  })
})
