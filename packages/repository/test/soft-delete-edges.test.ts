import { createDatabase } from '@org/db-core/client'
import { PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { BaseRepository } from '../src/index.ts'
import { onlyDeleted, softDelete, trash } from '../src/soft-delete/index.ts'
import { type Extras, type ExtrasDatabase, openExtras } from './support/extras.ts'

let extras: Extras
let db: ExtrasDatabase
let bare: ExtrasDatabase
beforeAll(async () => {
  extras = await openExtras({ use: [softDelete()] })
  db = extras.db
  bare = extras.open()
})
afterAll(() => extras.close())
beforeEach(async () => {
  await db.sql.query('TRUNCATE folder, document, note, seal, person RESTART IDENTITY CASCADE')
  await db.person.create({ data: { name: 'Ada' } })
  await db.folder.createMany({ data: [{ path: '/a' }, { path: '/b' }] })
  await db.document.create({
    data: { title: 'by Ada', folderId: 1, editorId: 1, notes: { create: { text: 'n' } } },
  })
  await db.document.create({ data: { title: 'by nobody', folderId: 1 } })
})

const titles = (rows: readonly { readonly title: string }[]) => rows.map(({ title }) => title)

describe('a relation that leads to a deleted row', () => {
  beforeEach(() => bare.person.update({ where: { id: 1 }, data: { deletedAt: new Date() } }))

  it('is null for conditions, as it is in results', async () => {
    const orderBy = { id: 'asc' } as const
    const found = async (editor: object | null, on = db) =>
      titles(await on.document.findMany({ where: { editor } as never, orderBy }))
    const both = ['by Ada', 'by nobody']
    expect(await found(null)).toEqual(both)
    expect(await found({ is: null })).toEqual(both)
    expect(await found({ isNot: null })).toEqual([])
    expect(await found({ is: null, isNot: { name: 'Ada' } })).toEqual(both)
    expect(await found({ is: { name: 'Ada' }, isNot: null })).toEqual([])
    expect(await found({ is: null, isNot: null })).toEqual([])
    expect(titles(await db.document.findMany({ where: { NOT: { editor: null } } }))).toEqual([])
    expect(await db.note.count({ where: { document: { editor: null } } })).toBe(1)
    await bare.person.update({ where: { id: 1 }, data: { deletedAt: null } })
    for (const condition of [null, { is: null }, { isNot: null }, { isNot: { name: 'Ada' } }]) {
      expect(await found(condition)).toEqual(await found(condition, bare))
    }
  })

  it('is null although the client leaves the mark out of all results', async () => {
    await using omitting = createDatabase({
      url: db.config.url,
      metadata,
      client: (adapter) => new PrismaClient({ adapter, omit: { person: { deletedAt: true } } }),
      use: [softDelete()],
    })
    const shown = async () =>
      (await omitting.document.findMany({ include: { editor: true }, orderBy: { id: 'asc' } })).map(
        ({ editor }) => editor && Object.keys(editor).sort(),
      )
    expect(await shown()).toEqual([null, null])
    await bare.person.update({ where: { id: 1 }, data: { deletedAt: null } })
    expect(await shown()).toEqual([['deletionId', 'id', 'name'], null])
  })
})

describe('an upsert through a relation to one row', () => {
  const upsert = { create: { name: 'New' }, update: { name: 'Changed' } }
  const people = async () => (await bare.person.findMany({ orderBy: { id: 'asc' } })).map(({ name }) => name)
  const editorOf = async (id: number) =>
    (await db.document.findUniqueOrThrow({ where: { id }, include: { editor: true } })).editor?.name

  it('creates where there is none, or none any more, and changes the one that is there', async () => {
    const written = await db.document.update({
      where: { id: 2 },
      data: { title: 'by New', editor: { upsert } },
      include: { editor: true },
    })
    expect(written).toMatchObject({ title: 'by New', editor: { name: 'New' } })
    await db.document.upsert({
      where: { id: 1 },
      create: { title: 'none', folderId: 1 },
      update: { editor: { upsert } },
    })
    expect(await people()).toEqual(['Changed', 'New'])
    await bare.person.update({ where: { id: 1 }, data: { deletedAt: new Date(), name: 'Gone' } })
    await db.transaction(() => db.document.update({ where: { id: 1 }, data: { editor: { upsert } } }))
    expect(await people()).toEqual(['Gone', 'New', 'New'])
    expect(await editorOf(1)).toBe('New')
    await expect(
      db.document.update({ where: { id: 99 }, data: { editor: { upsert } } }),
    ).rejects.toMatchObject({ code: 'DB_NOT_FOUND' })
    expect(await people()).toHaveLength(3)
  })
})

describe('a deletion among deleted rows alone', () => {
  it('deletes nothing', async () => {
    await db.note.create({ data: { text: 'second', documentId: 1 } })
    await db.note.delete({ where: { id: 1 } })
    expect(await onlyDeleted(() => db.note.deleteMany())).toEqual({ count: 0 })
    await expect(onlyDeleted(() => db.note.delete({ where: { id: 2 } }))).rejects.toMatchObject({
      code: 'DB_NOT_FOUND',
    })
    expect(await db.note.count()).toBe(1)
  })
})

describe('trash', () => {
  it('is refused where deletions are final', () => {
    const config = expect.objectContaining({ code: 'DB_REPOSITORY_CONFIG' })
    expect(() => trash(new BaseRepository(bare, 'folder'))).toThrow(config)
    expect(() => trash(new BaseRepository(db, 'attachment'))).toThrow(config)
    const without = extras.open({ use: [softDelete({ except: ['Note'] })] })
    expect(() => trash(new BaseRepository(without, 'note'))).toThrow(config)
    expect(() => trash(new BaseRepository(without.primary as never as typeof db, 'folder'))).not.toThrow()
  })
})

describe('a restoration', () => {
  const documents = () => trash(new BaseRepository(db, 'document'))

  it('holds up a deletion of what the row belongs to, which then takes it along', async () => {
    await db.document.delete({ where: { id: 1 } })
    let deleting: Promise<unknown> | undefined
    let isDone = false
    await db.transaction(async () => {
      await documents().restore(1)
      deleting = db
        .run({}, () => other.folder.delete({ where: { id: 1 } }))
        .then(() => {
          isDone = true
        })
      await new Promise((go) => setTimeout(go, 150))
      expect(isDone).toBe(false)
    })
    await deleting
    const rows = await bare.document.findMany({ orderBy: { id: 'asc' } })
    const [folder] = await bare.folder.findMany({ where: { id: 1 } })
    expect(rows.map(({ deletionId }) => deletionId)).toEqual([folder?.deletionId, folder?.deletionId])
    expect(folder?.deletedAt).not.toBeNull()
  })
  let other: ExtrasDatabase
  beforeAll(() => {
    other = extras.open({ use: [softDelete()] })
  })

  it('is refused while a deletion of what the row belongs to is under way', async () => {
    await db.document.delete({ where: { id: 1 } })
    let restoring: Promise<unknown> | undefined
    await other.transaction(async () => {
      await other.folder.delete({ where: { id: 1 } })
      restoring = documents()
        .restore(1)
        .catch((error: unknown) => error)
      await new Promise((go) => setTimeout(go, 150))
    })
    expect(await restoring).toMatchObject({ code: 'DB_REPOSITORY_SOFT_DELETE' })
    expect(await bare.document.count({ where: { deletedAt: null } })).toBe(0)
  })

  it('brings nothing back that was brought back and deleted again meanwhile', async () => {
    const folders = (on: ExtrasDatabase) => trash(new BaseRepository(on, 'folder'))
    await db.folder.delete({ where: { id: 1 } })
    let late: Promise<unknown> | undefined
    await other.transaction(async () => {
      await folders(other).restore(1)
      await other.folder.delete({ where: { id: 1 } })
      late = folders(db)
        .restore(1)
        .catch((error: unknown) => error)
      await new Promise((go) => setTimeout(go, 150))
    })
    expect(await late).toMatchObject({ code: 'DB_NOT_FOUND' })
    expect(await bare.document.count({ where: { deletedAt: null } })).toBe(0)
    expect(await folders(db).restore(1)).toMatchObject({ deletedAt: null })
    expect(await bare.document.count({ where: { deletedAt: null } })).toBe(2)
  })
})

describe('a row that belongs to two others', () => {
  it('comes back when both are back, whichever was deleted first', async () => {
    const owned = structuredClone(metadata)
    Object.assign(owned.models.Document?.fields.editor?.relation ?? {}, { onDelete: 'Cascade' })
    const two = extras.open({ metadata: owned, use: [softDelete()] })
    const [folders, people] = [
      trash(new BaseRepository(two, 'folder')),
      trash(new BaseRepository(two, 'person')),
    ]
    const alive = async () => titles(await two.document.findMany({ orderBy: { id: 'asc' } }))
    const notes = () => two.note.count()

    await two.folder.delete({ where: { id: 1 } })
    await two.person.delete({ where: { id: 1 } })
    await folders.restore(1)
    expect(await alive()).toEqual(['by nobody'])
    await people.restore(1)
    expect(await alive()).toEqual(['by Ada', 'by nobody'])
    expect(await notes()).toBe(1)

    await two.person.delete({ where: { id: 1 } })
    await two.folder.delete({ where: { id: 1 } })
    expect(await alive()).toEqual([])
    await people.restore(1)
    expect(await alive()).toEqual([])
    await folders.restore(1)
    expect(await alive()).toEqual(['by Ada', 'by nobody'])
    expect(await notes()).toBe(1)
  })
})
