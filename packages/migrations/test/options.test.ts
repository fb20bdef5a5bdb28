import { mkdtemp, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fromEnv } from '@org/db-core'
import { describe, expect, it } from 'vitest'
import { createMigrator, type MigratorOptions } from '../src/index.ts'
import { codeOf, project } from './project.ts'

const errorOf = (fn: () => unknown): unknown => {
  try {
    return fn()
  } catch (error) {
    return error
  }
}

describe('options', () => {
  it('are checked together, and every wrong one is named', () => {
    const options = {
      url: 'postgresql://a@b/c',
      lockRetries: 1.5,
      runnerWaitMs: -1,
      lockTimeoutMs: 'soon',
      environment: 'prod',
      strategy: { zeroDowntme: true },
      onProgres: () => undefined,
    } as unknown as MigratorOptions
    const error = errorOf(() => createMigrator(options))
    expect(error).toMatchObject({ code: 'DB_MIGRATIONS_OPTIONS' })
    const { problems } = error as { readonly problems: readonly string[] }
    expect(problems.map((each) => each.replace(/:.*/, '')).sort()).toEqual([
      'directory',
      'environment',
      'lockRetries',
      'lockTimeoutMs',
      'onProgres',
      'runnerWaitMs',
      'strategy.zeroDowntme',
    ])
  })

  it('take all that fromEnv() reads', async () => {
    await using folder = await project({ '1_a': 'CREATE TABLE a ();' })
    const { hostname, port, username, password, pathname } = new URL(folder.url)
    const env = {
      DB_HOST: hostname,
      DB_PORT: port,
      DB_USER: username,
      DB_PASSWORD: decodeURIComponent(password),
      DB_NAME: pathname.slice(1),
      DB_POOL_MAX: '3',
      DB_LOG_LEVEL: 'error',
      NODE_ENV: 'test',
    }
    const migrator = createMigrator({ ...fromEnv(env), directory: folder.directory })
    expect(await migrator.deploy()).toMatchObject({ applied: ['1_a'] })
  })

  it('of metadata.json are named together, too', async () => {
    await using folder = await project({
      '1_a': {
        'migration.sql': 'SELECT 1;',
        'metadata.json': '{ "phse": "expand", "risk": "huge", "waivers": [{ "rule": "x" }] }',
      },
    })
    const error = await folder
      .migrator()
      .status()
      .catch((each: unknown) => each)
    expect(error).toMatchObject({ code: 'DB_MIGRATIONS_FOLDER', problems: { length: 3 } })
    expect(String(error)).toMatch(/risk.*waivers\.0\.reason.*phse/)
  })
})

describe('without a database', () => {
  it('create and an offline lint do their work', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'migrations-'))
    const prismaSchema = join(directory, 'schema.prisma')
    await writeFile(
      prismaSchema,
      'datasource db {\n provider = "postgresql"\n}\nmodel Film {\n id Int @id\n}',
    )
    const migrator = createMigrator({ directory: join(directory, 'new'), prismaSchema })
    expect(await migrator.create({ name: 'film' })).toMatchObject({ reversible: 'lossy' })
    expect(await migrator.lint({ offline: true })).toHaveLength(1)
    const error = await migrator.deploy().catch((each: unknown) => each)
    expect(error).toMatchObject({
      code: 'DB_MIGRATIONS_OPTIONS',
      message: expect.stringMatching(/DATABASE_URL.*--url/),
    })
  })

  it('says which server does not answer', async () => {
    const port = await freePort()
    await using folder = await project({ '1_a': 'SELECT 1;' })
    const url = `postgresql://somebody:hidden@127.0.0.1:${port}/none`
    const error = await folder
      .migrator({ url })
      .status()
      .catch((each: unknown) => each)
    expect(error).toMatchObject({
      code: 'DB_UNREACHABLE',
      message: expect.stringContaining(`127.0.0.1:${port}`),
    })
    expect(String(error)).not.toContain('hidden')
  })
})

it('a folder that is not there is a wrong path, not an empty one', async () => {
  await using folder = await project({ '1_a': 'CREATE TABLE a ();' })
  const migrator = folder.migrator({ directory: join(folder.directory, 'wrong') })
  for (const call of ['deploy', 'status', 'plan', 'lint', 'verify', 'drift', 'repair'] as const) {
    expect(await codeOf(migrator[call]()), call).toBe('DB_MIGRATIONS_FOLDER')
  }
})

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}
