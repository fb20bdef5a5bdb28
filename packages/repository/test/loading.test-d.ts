import type { Database } from '@org/db-core/client'
import type { PrismaClient } from '@org/prisma'
import { expectTypeOf } from 'vitest'
import { BaseRepository } from '../src/index.ts'
import { loading } from '../src/loading/index.ts'
import { locking } from '../src/locking/index.ts'
import { trash } from '../src/soft-delete/index.ts'

declare const db: Database<PrismaClient>

class Folders extends BaseRepository<typeof db, 'folder'> {
  byPath(path: string) {
    return this.model.findUnique({ where: { path } })
  }
}
const folders = new Folders(db, 'folder')

export async function types(): Promise<void> {
  const { items, missing } = await loading(folders).findByIds([1], { select: { path: true } })
  expectTypeOf(items).toEqualTypeOf<{ path: string }[]>()
  expectTypeOf(missing).toEqualTypeOf<number[]>()
  // @ts-expect-error ids are numbers
  loading(folders).findByIds(['1'])

  const documents = loading(folders).relation('documents', { select: { title: true }, take: 3 })
  expectTypeOf(await documents(1)).toEqualTypeOf<{ title: string }[] | null>()
  const parent = loading(folders).relation('parent')
  expectTypeOf((await parent(1))?.path).toEqualTypeOf<string | undefined>()
  // @ts-expect-error there is no such relation
  loading(folders).relation('path')
  // @ts-expect-error documents have no path
  loading(folders).relation('documents', { select: { path: true } })

  for await (const row of loading(folders).stream({ select: { id: true }, orderBy: { path: 'asc' } })) {
    expectTypeOf(row).toEqualTypeOf<{ id: number }>()
  }

  expectTypeOf(trash(folders).withDeleted).toEqualTypeOf<Folders>()
  expectTypeOf((await trash(folders).restore(1, { select: { path: true } })).path).toEqualTypeOf<string>()
  expectTypeOf(await locking(folders).findById(1, { wait: 'skip', select: { id: true } })).toEqualTypeOf<{
    id: number
  } | null>()
  expectTypeOf(await locking(folders).take({ limit: 2, select: { id: true } })).toEqualTypeOf<
    { id: number }[]
  >()
  // @ts-expect-error a limit is needed
  locking(folders).take({ where: { id: 1 } })
  // @ts-expect-error there is no such lock
  locking(folders).findById(1, { mode: 'exclusive' })
}
