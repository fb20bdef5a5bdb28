import { createDatabase, type Database } from '@org/db-core/client'
import { commands as outbox } from '@org/db-outbox/commands'
import { BaseSeeder, type SeedWork } from '@org/db-seed'
import { seedCommands } from '@org/db-seed/commands'
import { PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'
import { defineConfig } from '../../../src/index.ts'

type Db = Database<PrismaClient>

class Regions extends BaseSeeder<Db> {
  readonly name = 'regions'
  override readonly tier = 'reference'

  async load({ put }: SeedWork<Db>): Promise<void> {
    await put('region', { key: ['code'], rows: ['A', 'B'].map((code) => ({ code, name: `Region ${code}` })) })
  }
}

class Projects extends BaseSeeder<Db> {
  readonly name = 'projects'
  override readonly tier = 'organisations'

  async load({ put, organisation = '', count, generate }: SeedWork<Db>): Promise<void> {
    await put('project', {
      key: ['tenantId', 'code'],
      rows: generate({
        name: 'projects',
        count: count(10),
        row: (row) => ({ tenantId: organisation, code: row.code(), name: `${row.index}` }),
      }),
    })
  }
}

export default defineConfig({
  migrations: { directory: 'migrations' },
  commands: [
    seedCommands({
      database: (config): Db =>
        createDatabase({ ...config, metadata, client: (adapter) => new PrismaClient({ adapter }) }),
      seeders: [new Projects(), new Regions()],
      organisations: ['acme'],
    }),
    outbox,
  ],
})
