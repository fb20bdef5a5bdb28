import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { codeOf, type Project, project } from './project.ts'

const datasource = 'datasource db {\n  provider = "postgresql"\n}\n'
const film = 'model Film {\n  id Int @id @default(autoincrement())\n  title String\n'

async function withSchema(folder: Project, models: string) {
  const prismaSchema = join(folder.directory, 'schema.prisma')
  await writeFile(prismaSchema, `${datasource}${models}`)
  return { prismaSchema }
}

describe('create', () => {
  it('writes the change and the way back, without a database', async () => {
    await using folder = await project()
    const offline = { url: 'postgresql://nobody@127.0.0.1:1/none' }
    const first = await folder
      .migrator({ ...offline, ...(await withSchema(folder, `${film}}`)) })
      .create({ name: 'Films!' })
    expect(first?.name).toMatch(/^\d{14}_films$/)
    expect(first?.sql).toContain('CREATE TABLE "Film"')
    expect(first).toMatchObject({ reversible: 'lossy', losses: ['all rows of Film'] })
    expect(first?.rollbackSql).toContain('-- Loses data: all rows of Film\nDROP TABLE "public"."Film";')
    expect(await readdir(first?.directory ?? '')).toEqual([
      'metadata.json',
      'migration.sql',
      'rollback.sql',
      'schema.snapshot.prisma',
    ])
    const options = {
      ...offline,
      ...(await withSchema(folder, `${film}  genre String?\n  @@index([genre])\n}`)),
    }
    const second = await folder.migrator(options).create({ name: 'genre', description: 'Films have a genre' })
    expect(second?.sql).toContain('ADD COLUMN')
    expect(second?.rollbackSql).toContain('-- Loses data: the values of Film.genre')
    const metadata: unknown = JSON.parse(
      await readFile(join(second?.directory ?? '', 'metadata.json'), 'utf8'),
    )
    expect(metadata).toMatchObject({ description: 'Films have a genre', reversible: 'lossy' })
    expect(await folder.migrator(options).create({ name: 'nothing' })).toBeUndefined()
  })

  it('what it writes deploys, goes back, verifies, and shows no drift', async () => {
    await using folder = await project()
    const migrator = folder.migrator(
      await withSchema(folder, `${film}  mood Mood\n}\nenum Mood {\n  GOOD\n  BAD\n}`),
    )
    await migrator.create({ name: 'films' })
    expect((await migrator.verify()).migrations).toMatchObject([{ result: 'same' }])
    await migrator.deploy()
    expect(await migrator.drift()).toMatchObject({ drifted: false })
    expect((await migrator.rollback()).rolledBack).toHaveLength(1)
  })

  it('compares with a replay of the folder where its last migration was not made here', async () => {
    await using folder = await project({
      // Constraints that Prisma's schema can't say are read by its engine, too.
      '1_theirs':
        'CREATE TABLE "Film" (id serial PRIMARY KEY, title text NOT NULL CHECK (length(title) > 0), EXCLUDE USING btree (title WITH =));',
    })
    const migrator = folder.migrator(await withSchema(folder, `${film}  year Int?\n}`))
    const created = await migrator.create({ name: 'year' })
    expect(created?.sql.replaceAll(/--.*\n/g, '').trim()).toBe(
      'ALTER TABLE "Film" ADD COLUMN     "year" INTEGER;',
    )
    expect(created?.rollbackSql).toContain('DROP COLUMN "year"')
    expect(await codeOf(folder.migrator().create({ name: 'x' }))).toBe('DB_MIGRATIONS_OPTIONS')
  })

  it('names what is written in one second in the order it was written', async () => {
    await using folder = await project()
    const migrator = folder.migrator(await withSchema(folder, `${film}}`))
    const names: string[] = []
    for (const name of ['z', 'y', 'x']) names.push((await migrator.create({ name, empty: true }))?.name ?? '')
    expect([...names].sort()).toEqual(names)
    expect(names.map((name) => name.slice(15))).toEqual(['z', 'y', 'x'])
    await folder.write({ '3_late': 'SELECT 1;' })
    await migrator.create({ name: 'w', empty: true })
    expect(folder.events).toMatchObject([{ type: 'warning', message: expect.stringContaining('3_late') }])
  })

  it("hands on what Prisma's engine has against the schema", async () => {
    await using folder = await project()
    const migrator = folder.migrator(await withSchema(folder, 'model Film {\n  title Strin\n}'))
    expect(await codeOf(migrator.create({ name: 'x' }))).toBe('DB_MIGRATIONS_ENGINE')
  })
})
