import fc from 'fast-check'

/** A schema as Prisma reads it, and as PostgreSQL does. */
export interface RandomSchema {
  readonly prisma: string
  readonly sql: string
}

interface Type {
  readonly prisma: string
  readonly sql: string
  readonly canBeUnique?: boolean
  readonly canBeList?: boolean
  /** A default that Prisma fills in, in the schema's terms. */
  readonly default?: string
}

const types: readonly Type[] = [
  { prisma: 'String', sql: 'text', default: '"say \\"no\\""', canBeUnique: true, canBeList: true },
  { prisma: 'String @db.VarChar(40)', sql: 'varchar(40)', canBeUnique: true },
  { prisma: 'String @db.Char(8)', sql: 'char(8)' },
  { prisma: 'String @db.Uuid', sql: 'uuid', canBeUnique: true, canBeList: true },
  { prisma: 'String @db.Citext', sql: 'citext', canBeUnique: true },
  { prisma: 'String @db.Xml', sql: 'xml' },
  { prisma: 'String @db.Inet', sql: 'inet' },
  { prisma: 'String @db.VarBit', sql: 'varbit' },
  { prisma: 'Int', sql: 'integer', default: '-7', canBeUnique: true, canBeList: true },
  { prisma: 'Int @db.SmallInt', sql: 'smallint' },
  { prisma: 'Int @db.Oid', sql: 'oid' },
  { prisma: 'BigInt', sql: 'bigint', default: '9007199254740993', canBeUnique: true, canBeList: true },
  { prisma: 'Float', sql: 'double precision', default: '1.5', canBeList: true },
  { prisma: 'Float @db.Real', sql: 'real' },
  { prisma: 'Decimal', sql: 'numeric(65,30)', default: '12345678901234567890.125', canBeList: true },
  { prisma: 'Decimal @db.Decimal(30, 10)', sql: 'numeric(30,10)' },
  { prisma: 'Boolean', sql: 'boolean', default: 'true', canBeList: true },
  { prisma: 'DateTime', sql: 'timestamp(3)', default: '"2020-02-29T23:59:59.123+00:00"', canBeList: true },
  { prisma: 'DateTime @db.Timestamptz(6)', sql: 'timestamptz(6)' },
  { prisma: 'DateTime @db.Timestamptz(3)', sql: 'timestamptz(3)', canBeList: true },
  { prisma: 'DateTime @db.Date', sql: 'date' },
  { prisma: 'DateTime @db.Time(3)', sql: 'time(3)' },
  { prisma: 'Json', sql: 'jsonb', default: '"{\\"a\\":[1,null]}"' },
  { prisma: 'Bytes', sql: 'bytea', default: '"aGVsbG8="' },
  { prisma: 'Tone', sql: '', default: 'high', canBeList: true },
]

/** Names that SQL, or our own SQL, uses for something else. */
const fieldNames = [
  't',
  'k',
  'k0',
  'position',
  'value',
  'select',
  'order',
  'row',
  'data',
  'excluded',
  'ctids',
  'Upper',
]
const columnNames = [
  'group by',
  'Mixed Case',
  "it's",
  'a.b',
  'x;y',
  'ünïcode',
  '$1',
  'a\\b',
  'where',
  'user',
  '%',
  '_',
]

type Presence = 'required' | 'optional' | 'list'

interface Field {
  readonly type: Type
  readonly presence: Presence
  readonly isMapped: boolean
  readonly hasDefault: boolean
}

interface Model {
  readonly key: 'int' | 'bigint' | 'text' | 'uuid' | 'compound' | 'named'
  readonly isMapped: boolean
  readonly hasPair: boolean
  readonly unique: number
  readonly fields: readonly Field[]
}

const field: fc.Arbitrary<Field> = fc.constantFrom(...types).chain((type) =>
  fc.record({
    type: fc.constant(type),
    presence: fc.constantFrom<Presence>(
      'required',
      'optional',
      'optional',
      ...(type.canBeList ? ['list' as const] : []),
    ),
    isMapped: fc.boolean(),
    hasDefault: fc.boolean(),
  }),
)

const model: fc.Arbitrary<Model> = fc.record({
  key: fc.constantFrom('int', 'int', 'bigint', 'text', 'uuid', 'compound', 'named'),
  isMapped: fc.boolean(),
  hasPair: fc.boolean(),
  unique: fc.nat(9),
  fields: fc.array(field, { minLength: 3, maxLength: 10 }),
})

/** A schema of so many models, each referring to the one before where that has a key of one number. */
export function randomSchema(models: number): fc.Arbitrary<RandomSchema> {
  const all = fc.array(model, { minLength: models, maxLength: models })
  return fc.tuple(all, fc.boolean()).map(([made, isSplit]) => {
    const parts = made.map((each, index) => toModel(each, index, made, isSplit))
    return {
      prisma: [header(isSplit), ...parts.map(({ prisma }) => prisma)].join('\n'),
      sql: [setup(isSplit), ...parts.map(({ sql }) => sql)].join('\n'),
    }
  })
}

/** `isSplit`: the enum lies in another PostgreSQL schema than the tables. */
const header = (isSplit: boolean): string => `
generator client {
  provider            = "prisma-client"
  output              = "./client"
  runtime             = "nodejs"
  moduleFormat        = "esm"
  importFileExtension = "ts"
}
generator metadata {
  provider = "db-metadata"
  output   = "./db-metadata.ts"
}
datasource db {
  provider = "postgresql"${isSplit ? '\n  schemas  = ["public", "tones"]' : ''}
}
enum Tone {
  low  @map("very low")
  even
  high @map("HIGH!")

  @@map("tone of voice")${isSplit ? '\n  @@schema("tones")' : ''}
}`

const setup = (isSplit: boolean): string => `CREATE EXTENSION IF NOT EXISTS citext;
${isSplit ? 'CREATE SCHEMA tones;' : ''}
CREATE TYPE ${toneType(isSplit)} AS ENUM ('very low', 'even', 'HIGH!');`

const toneType = (isSplit: boolean): string => `${isSplit ? 'tones.' : ''}"tone of voice"`

const keys: Readonly<Record<Model['key'], readonly [prisma: readonly string[], sql: readonly string[]]>> = {
  int: [['id Int @id'], ['"id" integer PRIMARY KEY']],
  bigint: [['number BigInt @id'], ['"number" bigint PRIMARY KEY']],
  text: [['code String @id @map("co de")'], ['"co de" text PRIMARY KEY']],
  uuid: [['id String @id @db.Uuid'], ['"id" uuid PRIMARY KEY']],
  compound: [
    ['left Int', 'right String', '@@id([left, right])'],
    ['"left" integer', '"right" text', 'PRIMARY KEY ("left", "right")'],
  ],
  named: [
    ['page Int', 'line BigInt @map("li ne")', '@@id([page, line], name: "place")'],
    ['"page" integer', '"li ne" bigint', 'PRIMARY KEY ("page", "li ne")'],
  ],
}

function toModel(made: Model, index: number, all: readonly Model[], isSplit: boolean): RandomSchema {
  const table = made.isMapped ? `Table ${index} of 'them'` : `M${index}`
  const [keyFields, keyColumns] = keys[made.key]
  const columns = made.fields.map((each, at) => {
    const name = fieldNames[at] ?? `f${at}`
    return { ...each, name, column: each.isMapped ? (columnNames[at] ?? `c ${at}`) : name }
  })
  const unique = columns
    .filter(({ type, presence }) => type.canBeUnique && presence !== 'list')
    .at(made.unique % 3)
  const pair = columns.filter(({ type, presence }) => type.canBeUnique && presence === 'required').slice(0, 2)
  const hasPair = made.hasPair && pair.length === 2
  // What has to be different in each row has no default.
  const isKey = (each: (typeof columns)[number]): boolean =>
    each === unique || (hasPair && pair.includes(each))
  const refers = all[index - 1]?.key === 'int'
  const isReferredTo = made.key === 'int' && all[index + 1] !== undefined
  const prisma = [
    ...keyFields,
    ...columns.map((each) => fieldText(isKey(each) ? { ...each, hasDefault: false } : each, each === unique)),
    ...(refers ? ['linkId Int?', `link M${index - 1}? @relation(fields: [linkId], references: [id])`] : []),
    ...(isReferredTo ? [`links M${index + 1}[]`] : []),
    ...(hasPair ? [`@@unique([${pair.map(({ name }) => name).join(', ')}])`] : []),
    `@@map(${JSON.stringify(table)})`,
    ...(isSplit ? ['@@schema("public")'] : []),
  ]
  const sql = [
    ...keyColumns,
    ...columns.map(({ column, type, presence }) => {
      const [array, rule] = [presence === 'list' ? '[]' : '', presence === 'required' ? ' NOT NULL' : '']
      const name = type.prisma === 'Tone' ? toneType(isSplit) : type.sql
      return `${quoted(column)} ${name}${array}${rule}`
    }),
    ...(refers ? ['"linkId" integer'] : []),
    ...(unique ? [`UNIQUE (${quoted(unique.column)})`] : []),
    ...(hasPair ? [`UNIQUE (${pair.map(({ column }) => quoted(column)).join(', ')})`] : []),
  ]
  return {
    prisma: `model M${index} {\n  ${prisma.join('\n  ')}\n}`,
    sql: `CREATE TABLE ${quoted(table)} (${sql.join(', ')});`,
  }
}

function fieldText(
  { name, column, type, presence, hasDefault }: Field & { readonly name: string; readonly column: string },
  isUnique: boolean,
): string {
  const [base = '', ...native] = type.prisma.split(' @')
  const mark = presence === 'list' ? '[]' : presence === 'optional' ? '?' : ''
  const attributes = [
    ...native,
    ...(column === name ? [] : [`map(${JSON.stringify(column)})`]),
    ...(isUnique ? ['unique'] : []),
    ...(hasDefault && type.default !== undefined
      ? [`default(${presence === 'list' ? `[${type.default}]` : type.default})`]
      : []),
  ]
  return [`${name} ${base}${mark}`, ...attributes].join(' @')
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
