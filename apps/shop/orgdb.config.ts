import { existsSync } from 'node:fs'
import { defineConfig } from '@org/db-cli'
import { outboxSchema } from '@org/db-outbox'
import { seedCommands } from '@org/db-seed/commands'
import { openDatabase } from './src/db.ts'
import { Films } from './src/films/film-seeder.ts'

// As the shop itself does; what is set in the environment wins.
if (existsSync('.env')) process.loadEnvFile('.env')

export default defineConfig({
  migrations: {
    directory: '../../prisma/migrations',
    prismaSchema: '../../prisma/schema',
    packages: [outboxSchema],
  },
  commands: [seedCommands({ database: (config) => openDatabase(config), seeders: [new Films()] })],
})
