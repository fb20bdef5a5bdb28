import { toMetadata } from '@org/db-core/generator'
import type { TestDatabase } from '@org/db-testing'
import { metadata } from '@org/prisma/metadata'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freshDatabase, open, type TestClient } from './support/shop-database.ts'

describe('the metadata of the workspace', () => {
  let database: TestDatabase
  let db: TestClient
  beforeAll(async () => {
    database = await freshDatabase()
    db = open(database.url)
  })
  afterAll(async () => {
    await db.close()
    await database.drop()
  })

  it('knows keys, columns, relations and annotations', () => {
    const { User, Membership, Post, Film } = metadata.models
    expect(User).toMatchObject({
      delegate: 'user',
      table: 'users',
      id: ['id'],
      idName: 'id',
      uniques: [['id'], ['email']],
    })
    expect(User?.fields.email?.annotations).toEqual({ pii: 'email' })
    expect(User?.fields.createdAt).toMatchObject({
      column: 'created_at',
      type: 'DateTime',
      hasDefault: true,
      nativeType: ['Timestamptz', ['3']],
    })
    expect(Membership).toMatchObject({ id: ['userId', 'teamCode'], idName: 'membership' })
    expect(Post?.fields.author?.relation).toMatchObject({ fields: ['authorId'], references: ['id'] })
    expect(Film?.documentation).toContain('film')
    expect(metadata.enums.Colour).toEqual(['red', 'green', 'blue'])
  })

  it('names every key and foreign key as the database does', async () => {
    const models = Object.entries(metadata.models)
    const tables = new Set(
      (
        await db.sql.query<{ name: string }>('SELECT relname AS name FROM pg_class WHERE relkind = $1', ['r'])
      ).map(({ name }) => name),
    )
    const rows = await db.sql.query<{ name: string }>(`
      SELECT conname AS name FROM pg_constraint WHERE contype IN ('p', 'u', 'f')
      UNION SELECT relname FROM pg_class JOIN pg_index ON indexrelid = pg_class.oid WHERE indisunique`)
    const present = new Set(rows.map(({ name }) => name))
    const missing = Object.entries(metadata.constraints).filter(([name, { model }]) => {
      const table = models.find(([candidate]) => candidate === model)?.[1].table ?? ''
      return tables.has(table) && !present.has(name)
    })
    expect(missing).toEqual([])
  })

  it('knows a column for every scalar field', async () => {
    const rows = await db.sql.query<{ id: string }>(
      `SELECT table_name || '.' || column_name AS id FROM information_schema.columns`,
    )
    const present = new Set(rows.map(({ id }) => id))
    for (const name of ['User', 'Post', 'Team', 'Membership', 'Sample', 'Film', 'Order', 'OrderItem']) {
      const model = metadata.models[name]
      const columns = Object.values(model?.fields ?? {}).flatMap(({ column }) =>
        column === undefined ? [] : [`${model?.table}.${column}`],
      )
      expect(columns.filter((column) => !present.has(column))).toEqual([])
    }
  })
})

describe('toMetadata', () => {
  const field = (name: string, extra: object = {}) => ({
    name,
    kind: 'scalar' as const,
    type: 'Int',
    isList: false,
    isRequired: true,
    isUnique: false,
    isId: false,
    hasDefaultValue: false,
    ...extra,
  })

  it('takes the first unique as the key where there is no primary key', () => {
    const models = [
      {
        name: 'A',
        fields: [field('x'), field('y', { isUnique: true })],
        uniqueFields: [],
        uniqueIndexes: [],
      },
    ]
    expect(toMetadata({ models, enums: [], indexes: [] }, '').models.A).toMatchObject({
      id: ['y'],
      idName: 'y',
      uniques: [['y']],
    })
  })

  it('takes no unique for the key whose values may be null', () => {
    const optional = { isUnique: true, isRequired: false }
    const keyOf = (fields: ReturnType<typeof field>[], uniqueIndexes: { fields: string[] }[]) => {
      const models = [{ name: 'A', fields, uniqueFields: [], uniqueIndexes }]
      return toMetadata({ models, enums: [], indexes: [] }, '').models.A?.idName
    }
    expect(keyOf([field('x', optional), field('y', { isUnique: true })], [])).toBe('y')
    const fields = [field('x', optional), field('y'), field('z')]
    expect(keyOf(fields, [{ fields: ['x', 'y'] }, { fields: ['y', 'z'] }])).toBe('y_z')
  })

  it('shortens the names of constraints as PostgreSQL needs them', () => {
    const long = 'a'.repeat(60)
    const models = [{ name: 'A', dbName: long, fields: [field('x')], uniqueFields: [], uniqueIndexes: [] }]
    const indexes = [{ model: 'A', type: 'unique' as const, fields: [{ name: 'x' }] }]
    const [name] = Object.keys(toMetadata({ models, enums: [], indexes }, '').constraints)
    expect(name).toBe(`${'a'.repeat(59)}_key`)
  })

  it('reads annotations out of comments', () => {
    const documentation = 'Text. @encrypted @pii(email) mail@example.org'
    const models = [
      { name: 'A', fields: [field('x', { documentation })], uniqueFields: [], uniqueIndexes: [] },
    ]
    expect(toMetadata({ models, enums: [], indexes: [] }, '').models.A?.fields.x?.annotations).toEqual({
      encrypted: true,
      pii: 'email',
    })
  })

  it('reads in the schema what Prisma does not hand on: schemas of enums, digits of decimals', () => {
    const text = `
enum Tone {
  low /// @@schema("none")
  high @map("very high")

  @@map("tone")
  @@schema("other")
}
enum Plain {
  one
}
model A {
  price  Decimal   @default(12345678901234567890.10) @db.Decimal(40, 2) // @default(1)
  prices Decimal[] @default([1.10, -2])
  none   Decimal
  count  Int       @default(3)
}
`
    const decimal = (name: string, extra: object) =>
      field(name, { type: 'Decimal', hasDefaultValue: true, ...extra })
    const fields = [
      decimal('price', { default: 12345678901234567000 }),
      decimal('prices', { default: [1.1, -2], isList: true }),
      field('none', { type: 'Decimal' }),
      field('count', { default: 3 }),
    ]
    const models = [{ name: 'A', fields, uniqueFields: [], uniqueIndexes: [] }]
    const found = toMetadata({ models, enums: [], indexes: [] }, text)
    expect(found.enumSchemas).toEqual({ Tone: 'other' })
    expect(found.models.A?.fields.price?.default).toEqual({ value: '12345678901234567890.10' })
    expect(found.models.A?.fields.prices?.default).toEqual({ value: ['1.10', '-2'] })
    expect(found.models.A?.fields.none).not.toHaveProperty('default')
    expect(found.models.A?.fields.count?.default).toEqual({ value: 3 })
  })

  it('changes its hash with the schema', () => {
    const empty = { models: [], enums: [], indexes: [] }
    expect(toMetadata(empty, 'a').schemaHash).not.toBe(toMetadata(empty, 'b').schemaHash)
  })
})
