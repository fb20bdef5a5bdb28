import { EventEmitter } from 'node:events'
import type { TestDatabase } from '@org/db-testing'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AnswerReader } from '../src/client/fast/answer-reader.ts'
import { columnTexts, takeTexts } from '../src/client/fast/data-row.ts'
import { freshDatabase, open, type TestClient } from './support/shop-database.ts'

const message = (type: string, body: Buffer): Buffer => {
  const head = Buffer.alloc(5)
  head.write(type)
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}
const row = (texts: readonly (string | null)[]): Buffer => {
  let body: Buffer = Buffer.alloc(0)
  takeTexts(texts, (bytes) => {
    body = bytes
  })
  return message('D', body)
}

const texts = fc.array(fc.option(fc.string({ unit: 'grapheme', maxLength: 40 })), { maxLength: 5 })
const part = fc.oneof(
  { weight: 4, arbitrary: texts.map((row) => ({ row })) },
  { weight: 1, arbitrary: fc.constantFrom({ other: '2' }, { other: 'C' }) },
  {
    weight: 2,
    arbitrary: fc.record({
      other: fc.constantFrom('N', 'A', 'S', '1', 'n'),
      body: fc.uint8Array({ maxLength: 300 }),
    }),
  },
)
type Part = { readonly row?: readonly (string | null)[]; readonly other?: string; readonly body?: Uint8Array }

describe('the reader of answers', () => {
  it('finds each row and passes each other message on whole, wherever the stream is cut, and keeps no bytes', () => {
    const answers = fc.array(fc.tuple(fc.boolean(), fc.array(part, { maxLength: 12 })), { maxLength: 4 })
    fc.assert(
      fc.property(answers, fc.array(fc.integer({ min: 1, max: 400 })), (given, sizes) => {
        const stream = new EventEmitter()
        const passed: Buffer[] = []
        stream.on('data', (bytes: Buffer) => passed.push(bytes))
        const connection = Object.assign(new EventEmitter(), { stream, ssl: false })
        AnswerReader.attach(connection)
        connection.emit('connect')
        const rows: (readonly (string | null)[])[] = []
        const expectedRows: (readonly (string | null)[])[] = []
        const expectedPassed: Buffer[] = []
        for (const [isOurs, parts] of given) {
          const messages = (parts as readonly Part[]).map(({ row: values, other = '', body }) =>
            values ? row(values) : message(other, Buffer.from(body ?? [])),
          )
          const ready = message('Z', Buffer.from('I'))
          for (const [index, { row: values, other }] of (parts as readonly Part[]).entries()) {
            if (isOurs && values) expectedRows.push(values)
            if (!isOurs || (!values && other !== '2' && other !== 'C')) {
              expectedPassed.push(messages[index] as Buffer)
            }
          }
          expectedPassed.push(ready)
          if (isOurs) {
            AnswerReader.of(connection)?.expect({
              takeRow: (bytes, at) => void rows.push(columnTexts(bytes, at, 0)),
              takeCompletion: () => undefined,
            })
          }
          const all = Buffer.concat([...messages, ready])
          for (let at = 0, turn = 0; at < all.length; turn++) {
            const size = sizes[turn] ?? all.length
            const bytes = Buffer.from(all.subarray(at, at + size))
            stream.emit('data', bytes)
            // As the socket does with its one buffer.
            bytes.fill(0xff)
            at += size
          }
        }
        expect(rows).toStrictEqual(expectedRows)
        expect(Buffer.concat(passed)).toStrictEqual(Buffer.concat(expectedPassed))
        // Never a part of a message: the parser behind it is not asked to put any together.
        for (const bytes of passed) {
          let at = 0
          while (at < bytes.length) at += 1 + bytes.readInt32BE(at + 1)
          expect(at).toBe(bytes.length)
        }
      }),
      { numRuns: 500 },
    )
  })

  describe('on a server', () => {
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

    it('puts rows together that are longer than anything read at once, in every script', async () => {
      const names = ['x'.repeat(3_000_000), `${'ä'.repeat(70_000)}€`, '🙂 日本語', '']
      for (const [index, name] of names.entries()) {
        await db.user.create({ data: { id: 100 + index, email: `${index}@example.test`, name } })
      }
      const found = await Promise.all(
        names.map((_, index) => db.user.findUnique({ where: { id: 100 + index } })),
      )
      expect(found.map((user) => user?.name)).toStrictEqual(names)
    })

    it('gives each caller a row of its own', async () => {
      const [one, other] = await Promise.all([1, 2].map(() => db.user.findUnique({ where: { id: 103 } })))
      expect(one).toStrictEqual(other)
      expect(one).not.toBe(other)
    })

    it('leaves the notices and notifications that come in between to those who wait for them', async () => {
      await db.sql.query(`CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE WARNING 'told'; PERFORM pg_notify('told', repeat('n', 5000)); RETURN new; END $$`)
      await db.sql.query(`CREATE TRIGGER tell BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION tell()`)
      await Promise.all(
        Array.from({ length: 20 }, async (_, turn) => {
          await db.user.update({ where: { id: 103 }, data: { name: `${turn}` } })
          const found = await db.user.findUnique({ where: { id: 102 } })
          expect(found?.name).toBe('🙂 日本語')
        }),
      )
    })
  })
})
