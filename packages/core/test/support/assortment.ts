import { readFile } from 'node:fs/promises'
import { type TestDatabase, testDatabase } from '@org/db-testing'
import type { Prisma, PrismaClient } from '@org/prisma'

const migrations = ['0001_init/migration.sql', '0004_types/migration.sql']

/** A fresh database with a table that has a column of every type. */
export async function assortmentDatabase(): Promise<TestDatabase> {
  const texts = await Promise.all(
    migrations.map((name) =>
      readFile(new URL(`../../../../prisma/migrations/${name}`, import.meta.url), 'utf8'),
    ),
  )
  return testDatabase({ name: 'assortment', setup: texts.join('\n') })
}

const at = new Date(1_000_000_000_123)
const time = new Date('1970-01-01T12:34:56.789Z')
const uuid = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'

/** A value for each column. */
const full: Prisma.AssortmentCreateInput = {
  text: 'a "quoted" \\ text',
  varchar: 'v',
  char: 'c',
  uuid,
  citext: 'Abc',
  xml: '<a/>',
  inet: '10.0.0.1',
  bit: '1010',
  varbit: '1',
  int: -7,
  smallint: 2,
  oid: 3,
  bigint: 9_007_199_254_740_993n,
  float: 1e-7,
  real: 0.1,
  decimal: '1.50',
  numeric: '12345678901234567890.0123456789',
  money: '3.25',
  boolean: true,
  timestamp: at,
  timestamp6: at,
  timestamptz: at,
  date: new Date('2020-02-03'),
  time,
  timetz: time,
  json: { b: 1, a: [null, 'x'] },
  jsonb: [1, { b: 'x', a: null }],
  bytes: new Uint8Array([1, 2, 255]),
  level: 'low',
  texts: ['a', 'b,"c\\', '', 'NULL', '{}'],
  uuids: [uuid],
  ints: [1, -2],
  bigints: [3n],
  floats: [1.5, 2],
  decimals: ['1.10', '2'],
  booleans: [true, false],
  timestamps: [at],
  timestamptzs: [at],
  dates: [new Date('2020-02-03')],
  times: [time],
  jsons: [{ a: 1 }, 5, 'x'],
  blobs: [new Uint8Array([1, 2])],
  levels: ['low', 'high'],
}

/** Rows with everything, with nothing, and with values at the edges of what the types can hold. */
export async function fillAssortment(prisma: PrismaClient): Promise<void> {
  await prisma.assortment.create({ data: { id: 1, ...full } })
  await prisma.assortment.create({ data: { id: 2, level: null } })
  await prisma.$executeRaw`INSERT INTO assortment
      (id, float, real, timestamp, timestamp_tz, timestamp_6, date, decimal, texts, time, time_tz, json, jsonb)
    VALUES (3, 'NaN', '-infinity', 'infinity', '0044-03-15 00:00:00+00 BC', '0099-01-02 03:04:05.999999',
      '10000-01-01', 'NaN', '{}', '24:00:00', '01:02:03.5-03:30', 'null', '"text"')`
  // Prisma has an error for it.
  await prisma.$executeRaw`INSERT INTO assortment (id, texts) VALUES (4, ARRAY['a', NULL])`
}
