import { metadata } from '@org/prisma/metadata'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { BaseRepository } from '../src/index.ts'
import {
  forceDelete,
  onlyDeleted,
  softDelete,
  trash,
  uniqueIndexes,
  withDeleted,
} from '../src/soft-delete/index.ts'
import { type Extras, type ExtrasDatabase, openExtras } from './support/extras.ts'

let extras: Extras
let db: ExtrasDatabase
beforeAll(async () => {
  extras = await openExtras({ use: [softDelete()] })
  db = extras.db
  await db.sql.query(uniqueIndexes({ metadata }))
})
afterAll(() => extras.close())

/** home(1) > docs(2) > old(3); document 1 in docs by Ada with notes 1 and 2, document 2 in home. */
beforeEach(async () => {
  await db.sql.query(
    'TRUNCATE folder, document, note, seal, keyword, person, attachment, "_DocumentToKeyword" RESTART IDENTITY CASCADE',
  )
  await db.person.create({ data: { name: 'Ada' } })
  await db.folder.create({ data: { path: '/home' } })
  await db.folder.create({ data: { path: '/home/docs', parentId: 1 } })
  await db.folder.create({ data: { path: '/home/docs/old', parentId: 2 } })
  await db.document.create({
    data: {
      title: 'one',
      folderId: 2,
      editorId: 1,
      notes: { create: [{ text: 'a' }, { text: 'b' }] },
      keywords: { create: [{ word: 'x' }, { word: 'y' }] },
      attachments: { create: { name: 'file' } },
    },
  })
  await db.document.create({ data: { title: 'two', folderId: 1 } })
})

/** How many rows each table has, and how many of them are deleted. */
async function state(): Promise<Record<string, string>> {
  const tables = ['folder', 'document', 'note', 'seal', 'keyword', 'person']
  const entries = tables.map(async (table) => {
    const [row] = await db.sql.query<{ all: string; gone: string }>(
      `SELECT count(*) AS all, count(deleted_at) AS gone FROM ${table}`,
    )
    return [table, `${row?.gone} of ${row?.all}`] as const
  })
  return Object.fromEntries(await Promise.all(entries))
}

describe('a deleted row', () => {
  it('is not there for any read', async () => {
    expect(await db.note.delete({ where: { id: 1 } })).toMatchObject({ id: 1, text: 'a' })
    expect(await db.note.findUnique({ where: { id: 1 } })).toBeNull()
    expect(await db.note.findFirst({ where: { text: 'a' } })).toBeNull()
    await expect(db.note.findUniqueOrThrow({ where: { id: 1 } })).rejects.toMatchObject({
      code: 'DB_NOT_FOUND',
    })
    expect(await db.note.findMany()).toMatchObject([{ id: 2 }])
    expect(await db.note.count()).toBe(1)
    expect((await db.note.aggregate({ _max: { id: true }, _count: true }))._count).toBe(1)
    expect(await db.note.groupBy({ by: ['documentId'], _count: true })).toEqual([
      { documentId: 1, _count: 1 },
    ])
    expect((await state()).note).toBe('1 of 2')
  })

  it('is not there in relations, their counts and conditions on them', async () => {
    await db.note.delete({ where: { id: 1 } })
    await db.keyword.delete({ where: { word: 'x' } })
    const document = await db.document.findUniqueOrThrow({
      where: { id: 1 },
      include: { notes: true, keywords: true, _count: true },
    })
    expect(document.notes).toMatchObject([{ id: 2 }])
    expect(document.keywords).toMatchObject([{ word: 'y' }])
    expect(document._count).toMatchObject({ notes: 1, keywords: 1, attachments: 1 })
    const folder = await db.folder.findUnique({
      where: { id: 2 },
      select: { documents: { select: { notes: true } } },
    })
    expect(folder?.documents[0]?.notes).toHaveLength(1)
    expect(await db.document.count({ where: { notes: { some: { text: 'a' } } } })).toBe(0)
    expect(await db.document.count({ where: { notes: { every: { text: 'b' } }, id: 1 } })).toBe(1)
    expect(await db.document.count({ where: { keywords: { none: { word: 'x' } } } })).toBe(2)
    expect(await db.document.findUnique({ where: { id: 1 } }).notes()).toHaveLength(1)
  })

  it('is null where an optional relation leads to it, and stays where a required one does', async () => {
    await db.sql.query(
      `UPDATE person SET deleted_at = now(); UPDATE folder SET deleted_at = now() WHERE id = 2`,
    )
    const document = await db.document.findUniqueOrThrow({
      where: { id: 1 },
      include: { editor: true, folder: true },
    })
    expect(document.editor).toBeNull()
    expect(document.folder.id).toBe(2)
    expect(document.editorId).toBe(1)
  })

  it('can not be changed, connected or deleted again', async () => {
    await db.note.deleteMany({ where: { text: 'a' } })
    expect(await db.note.updateMany({ data: { text: 'c' } })).toEqual({ count: 1 })
    const missing = { code: 'DB_NOT_FOUND' }
    await expect(db.note.update({ where: { id: 1 }, data: { text: 'c' } })).rejects.toMatchObject(missing)
    await expect(db.note.delete({ where: { id: 1 } })).rejects.toMatchObject(missing)
    expect(await db.note.deleteMany()).toEqual({ count: 1 })
    await expect(
      db.document.update({ where: { id: 2 }, data: { notes: { connect: { id: 1 } } } }),
    ).rejects.toMatchObject(missing)
  })

  it('gives its unique value free', async () => {
    await db.folder.delete({ where: { path: '/home/docs/old' } })
    expect(await db.folder.findUnique({ where: { path: '/home/docs/old' } })).toBeNull()
    const again = await db.folder.upsert({
      where: { path: '/home/docs/old' },
      create: { path: '/home/docs/old' },
      update: { parentId: 1 },
    })
    expect(again).toMatchObject({ id: 4, parentId: null })
    const other = await db.folder.upsert({
      where: { path: '/home/docs/old' },
      create: { path: '/home/docs/old' },
      update: { parentId: 1 },
    })
    expect(other).toMatchObject({ id: 4, parentId: 1 })
    await expect(db.folder.create({ data: { path: '/home' } })).rejects.toMatchObject({
      code: 'DB_UNIQUE_VIOLATION',
      fields: ['path'],
    })
    await expect(trash(new BaseRepository(db, 'folder')).restore(3)).rejects.toMatchObject({
      code: 'DB_UNIQUE_VIOLATION',
    })
  })

  it('is shown on demand, alone or among the others', async () => {
    await db.note.delete({ where: { id: 1 } })
    const notes = new BaseRepository(db, 'note')
    const { withDeleted: all, onlyDeleted: gone } = trash(notes)
    expect(await all.count()).toBe(2)
    expect(await gone.findMany({ select: { id: true } })).toEqual([{ id: 1 }])
    expect(await gone.findById(2)).toBeNull()
    expect(await notes.count()).toBe(1)
    expect(await withDeleted(() => db.note.findUnique({ where: { id: 1 } }))).toMatchObject({ text: 'a' })
    expect(await onlyDeleted(() => db.note.count({ where: { document: { title: 'one' } } }))).toBe(1)
    const lazy = withDeleted(() => db.note.findMany())
    expect(await lazy).toHaveLength(2)
  })

  it('is taken away for good on demand', async () => {
    await db.note.delete({ where: { id: 1 } })
    expect(await trash(new BaseRepository(db, 'note')).forceDelete(1)).toMatchObject({ text: 'a' })
    await forceDelete(() => db.folder.deleteMany({ where: { id: 2 } }))
    expect(await state()).toMatchObject({ folder: '0 of 1', document: '0 of 1', note: '0 of 0' })
  })
})

describe('a deletion', () => {
  it('reaches what depends on it, with one id, and nothing else', async () => {
    await db.note.delete({ where: { id: 2 } })
    await db.folder.delete({ where: { id: 2 } })
    expect(await state()).toMatchObject({
      folder: '2 of 3',
      document: '1 of 2',
      note: '2 of 2',
      person: '0 of 1',
    })
    const rows = await db.sql.query(
      `SELECT DISTINCT deletion_id, deleted_at FROM (SELECT deletion_id, deleted_at FROM folder UNION ALL
       SELECT deletion_id, deleted_at FROM document UNION ALL SELECT deletion_id, deleted_at FROM note WHERE id = 1) x
       WHERE deleted_at IS NOT NULL`,
    )
    expect(rows).toHaveLength(1)
    expect(await db.attachment.count()).toBe(1)
  })

  it('is undone as a whole, without what had been deleted before', async () => {
    await db.note.delete({ where: { id: 2 } })
    await db.folder.delete({ where: { id: 2 } })
    const folders = trash(new BaseRepository(db, 'folder'))
    const back = await folders.restore(2, { include: { documents: { include: { notes: true } } } })
    expect(back).toMatchObject({
      id: 2,
      deletedAt: null,
      deletionId: null,
      documents: [{ notes: [{ id: 1 }] }],
    })
    expect(await state()).toMatchObject({ folder: '0 of 3', document: '0 of 2', note: '1 of 2' })
    const [{ left } = { left: '' }] = await db.sql.query<{ left: string }>(
      'SELECT count(deletion_id) AS left FROM (SELECT deletion_id FROM folder UNION ALL SELECT deletion_id FROM document) x',
    )
    expect(left).toBe('0')
    await expect(folders.restore(2)).rejects.toMatchObject({ code: 'DB_NOT_FOUND' })
    await expect(folders.restore(99)).rejects.toMatchObject({ code: 'DB_NOT_FOUND' })
  })

  it('is undone for one of several roots alone', async () => {
    await db.folder.create({
      data: { path: '/other', parentId: 1, documents: { create: { title: 'three' } } },
    })
    await db.folder.deleteMany({ where: { id: { in: [2, 4] } } })
    expect(await state()).toMatchObject({ folder: '3 of 4', document: '2 of 3' })
    await trash(new BaseRepository(db, 'folder')).restore(4)
    expect(await state()).toMatchObject({ folder: '2 of 4', document: '1 of 3' })
  })

  it('is not undone for a row whose owner is deleted', async () => {
    await db.folder.delete({ where: { id: 1 } })
    expect((await state()).document).toBe('2 of 2')
    await expect(trash(new BaseRepository(db, 'document')).restore(1)).rejects.toMatchObject({
      code: 'DB_REPOSITORY_SOFT_DELETE',
    })
  })

  it('is refused where a foreign key restricts it, and leaves nothing behind', async () => {
    await db.seal.create({ data: { documentId: 1 } })
    const refused = {
      code: 'DB_FOREIGN_KEY_VIOLATION',
      constraint: 'seal_document_id_fkey',
      fields: ['documentId'],
      table: 'seal',
    }
    await expect(db.document.delete({ where: { id: 1 } })).rejects.toMatchObject(refused)
    await expect(db.folder.deleteMany()).rejects.toMatchObject(refused)
    await db.transaction(async () => {
      await expect(db.folder.delete({ where: { id: 1 } })).rejects.toMatchObject(refused)
      await db.document.delete({ where: { id: 2 } })
    })
    expect(await state()).toMatchObject({ folder: '0 of 3', document: '1 of 2', note: '0 of 2' })
    await db.seal.deleteMany()
    await db.document.delete({ where: { id: 1 } })
    expect(await state()).toMatchObject({ document: '2 of 2', note: '2 of 2', seal: '1 of 1' })
  })

  it('takes optional keys out of what refers to it', async () => {
    await db.person.delete({ where: { id: 1 } })
    expect(await db.document.findUnique({ where: { id: 1 } })).toMatchObject({
      editorId: null,
      deletedAt: null,
    })
  })

  it('works the same nested in other changes', async () => {
    await db.folder.update({
      where: { id: 2 },
      data: { path: '/home/papers', documents: { delete: { id: 1 } }, children: { deleteMany: {} } },
    })
    expect(await state()).toMatchObject({ folder: '1 of 3', document: '1 of 2', note: '2 of 2' })
    expect(await trash(new BaseRepository(db, 'document')).restore(1)).toMatchObject({ id: 1 })
    expect(await state()).toMatchObject({ folder: '1 of 3', document: '0 of 2', note: '0 of 2' })
    await db.document.update({ where: { id: 1 }, data: { editor: { delete: true } } })
    expect(await state()).toMatchObject({ person: '1 of 1' })
    expect(await db.document.findUnique({ where: { id: 1 } })).toMatchObject({ editorId: null })
  })

  it('is rolled back with its transaction', async () => {
    await db
      .transaction(async () => {
        await db.folder.delete({ where: { id: 1 } })
        expect(await db.folder.count()).toBe(0)
        throw new Error('undone')
      })
      .catch(() => undefined)
    expect(await state()).toMatchObject({ folder: '0 of 3', document: '0 of 2' })
  })

  it('of rows that others depend on is refused in a batch, of others it is carried out', async () => {
    await expect(
      db.$transaction([db.note.deleteMany(), db.folder.delete({ where: { id: 1 } })]),
    ).rejects.toMatchObject({ code: 'DB_REPOSITORY_SOFT_DELETE' })
    expect(await state()).toMatchObject({ folder: '0 of 3', note: '0 of 2' })
    await db.$transaction([db.note.deleteMany(), db.document.count()])
    expect(await state()).toMatchObject({ note: '2 of 2' })
  })
})

describe('softDelete', () => {
  it('leaves models alone that have no mark, or are excepted', async () => {
    const other = extras.open({ use: [softDelete({ except: ['Note'] })] })
    await other.note.delete({ where: { id: 1 } })
    await other.attachment.deleteMany()
    expect(await other.attachment.count()).toBe(0)
    expect((await state()).note).toBe('0 of 1')
  })

  it('says at start what the schema lacks', () => {
    expect(() => extras.open({ use: [softDelete({ field: 'removedAt' })] })).toThrow(
      'no model has a field removedAt',
    )
    expect(() => extras.open({ use: [softDelete({ deletionField: 'batch' })] })).toThrow(
      'needs a field batch',
    )
    expect(() => extras.open({ use: [softDelete({ except: ['Nothing'] })] })).toThrow('no model Nothing')
  })

  it('merges look-ups of one tick into one statement', async () => {
    const before = db.metrics().queries.total
    const found = await Promise.all([1, 2, 3].map((id) => db.folder.findUnique({ where: { id } })))
    expect(found).toHaveLength(3)
    expect(db.metrics().queries.total - before).toBe(1)
  })
})
