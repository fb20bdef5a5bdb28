import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installSchema } from '@org/db-core'
import { createDatabase } from '@org/db-core/client'
import { createOutbox, outboxSchema } from '@org/db-outbox'
import { PrismaClient } from '@org/prisma'
import { describe, expect, it } from 'vitest'
import { orgdb, project, stage } from './support/stage.ts'

const tables = async (): Promise<string> =>
  readFile(new URL('../../../prisma/migrations/0003_tenant/migration.sql', import.meta.url), 'utf8')

describe('commands of packages', () => {
  it('seeds all, one organisation, validates and cleans', async () => {
    await using here = await stage(await tables())
    const seed = (...argv: readonly string[]) => orgdb(['seed', ...argv, '--url', here.url], { cwd: project })
    const first = await seed('all')
    expect(first.err).toBe('')
    expect(first.out.replaceAll(/\d+ ms/g, 'N ms').replaceAll(/ {2,}/g, '  ')).toBe(
      'done  regions  N ms  2 created\ndone  projects acme  N ms  10 created\n  all  N ms  12 created\n',
    )
    const again = JSON.parse((await seed('all', '--json')).out)
    expect(again).toMatchObject({ created: 0, updated: 0, ok: true })
    expect((await seed('org', 'zeta', '--scale', '2')).out).toContain('20 created')
    expect((await seed('status')).out).toMatch(/projects {2}zeta {2}development {2}20/)
    await here.sql("UPDATE region SET name = 'x' WHERE code = 'A'")
    expect(await seed('validate')).toMatchObject({
      exitCode: 2,
      out: expect.stringContaining('Region: 1 rows have other values'),
    })
    expect(await seed('clean', '--confirm', 'other')).toMatchObject({ exitCode: 3 })
    expect(await seed('clean')).toMatchObject({ exitCode: 1, err: expect.stringContaining('--confirm') })
    expect((await seed('all', '--clean', '--confirm', here.name)).out).toContain('removed')
    expect(await seed('clean', '--yes', '--scale', '2')).toMatchObject({ exitCode: 0 })
    expect(await here.sql('SELECT code FROM project')).toEqual([])
  })

  it('lets the name of the database be typed before anything is lost', async () => {
    await using here = await stage(await tables())
    const clean = (types: string, ...more: readonly string[]) =>
      orgdb(['seed', 'clean', '--url', here.url, ...more], { cwd: project, types })
    expect(await clean('wrong')).toMatchObject({ exitCode: 3 })
    // The end of the input, as Ctrl-D gives it.
    expect(await clean('')).toMatchObject({ exitCode: 3 })
    expect(await clean(here.name)).toMatchObject({ exitCode: 0 })
    expect(await clean(here.name, '--yes', '--environment', 'staging')).toMatchObject({
      exitCode: 3,
      err: expect.stringContaining('--yes is not enough'),
    })
  })

  it('operates the outbox, which needs no configuration of its own', async () => {
    await using here = await stage()
    const outbox = createOutbox()
    await using db = createDatabase({
      url: here.url,
      client: (adapter) => new PrismaClient({ adapter }),
      use: [outbox],
    })
    await installSchema(db.sql, [outboxSchema])
    const run = (...argv: readonly string[]) =>
      orgdb(['outbox', ...argv, '--url', here.url], { cwd: project })
    let fails = true
    const consumer = outbox.consumer({
      name: 'mail',
      topics: ['order.placed'],
      retry: { maxAttempts: 1 },
      handle: async () => {
        if (fails) throw new Error('no mail today')
      },
    })
    await consumer.start()
    await db.transaction(() => outbox.emit({ topic: 'order.placed', key: '1', payload: { secret: 'x' } }))
    await expect.poll(async () => (await run('dead', 'mail')).exitCode, { timeout: 10_000 }).toBe(2)
    const dead = await run('dead', 'mail')
    expect(dead.out).toMatch(/order\.placed {2}1 {2}1 attempts/)
    expect(dead.out).not.toContain('secret')
    expect(await run('status')).toMatchObject({ exitCode: 2, out: expect.stringMatching(/^dead {2,}mail/) })
    fails = false
    expect((await run('redrive', 'mail', '--key', '1')).out).toBe('1 will be tried again\n')
    await expect.poll(async () => (await run('status')).exitCode, { timeout: 10_000 }).toBe(0)
    expect((await run('replay', 'mail', '--from', '0', '--key', '1')).out).toMatch(/^job \d+ delivers/)
    expect(await run('redrive')).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining('needs CONSUMER'),
    })
    expect(await run('replay', 'nobody')).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining('DB_OUTBOX_NOT_FOUND'),
    })
  })

  it('finds those of packages that the project has installed', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'orgdb-project-'))
    try {
      const folder = join(directory, 'node_modules/@org/db-weather')
      await mkdir(folder, { recursive: true })
      const manifest = {
        name: '@org/db-weather',
        description: 'the weather',
        type: 'module',
        exports: { './commands': './commands.js', './package.json': './package.json' },
      }
      await writeFile(join(folder, 'package.json'), JSON.stringify(manifest))
      await writeFile(
        join(folder, 'commands.js'),
        `export const commands = { name: 'weather', description: 'the weather', commands: [{ name: 'today', description: 'says it',
          options: { days: { type: 'number', description: 'how many' } },
          run: async ({ options }) => ({ text: \`fine for \${options.days ?? 1} days\`, json: { days: options.days } }) }] }`,
      )
      await writeFile(
        join(directory, 'package.json'),
        JSON.stringify({ dependencies: { '@org/db-weather': '1', '@org/db-missing': '1' } }),
      )
      const run = (...argv: readonly string[]) => orgdb(argv, { cwd: directory })
      expect((await run('--help')).out).toMatch(/weather +the weather/)
      expect((await run('weather', '--help')).out).toContain('today')
      expect(await run('weather', 'today', '--days', '3')).toEqual({
        exitCode: 0,
        out: 'fine for 3 days\n',
        err: '',
      })
      expect(JSON.parse((await run('weather', 'today', '--days', 'x', '--json')).out)).toEqual({
        error: { code: 'USAGE', message: '--days is no number' },
      })
      expect((await run('completion', 'words')).out).toContain('weather')
      expect((await run('completion', 'words', '--', 'weather')).out).toBe('today\n')
      expect((await run('completion', 'words', '--', 'weather', 'today')).out).toContain('--days')
    } finally {
      await rm(directory, { recursive: true })
    }
  })
})

describe('orgdb config', () => {
  it('checks the configuration, and shows no password', async () => {
    await using here = await stage()
    const good = await orgdb(['config', 'check'], { env: { DATABASE_URL: here.url, DB_POOL_MAX: '7' } })
    expect(good).toMatchObject({ exitCode: 0, out: expect.stringMatching(/pool\.max +7/) })
    expect(good.out).toMatch(/PostgreSQL 1\d/)
    expect(good.out).not.toContain(new URL(here.url).password)
    const bad = await orgdb(['config', 'check'], { env: { DATABASE_URL: here.url, DB_POOL_MAX: 'many' } })
    expect(bad).toMatchObject({ exitCode: 1, out: expect.stringContaining('DB_POOL_MAX') })
    const ini = await orgdb(['config', 'pgbouncer', '--instances', '4', '--url', here.url])
    expect(ini.out).toMatch(/max_client_conn = 44\n/)
  })

  it('marks a database, so that another environment’s address can not destroy it', async () => {
    await using here = await stage()
    await here.write('1_a', { 'migration.sql': 'CREATE TABLE a ();' })
    const on = ['--url', here.url] as const
    expect(
      await orgdb(['config', 'mark', '--as', 'production', '--confirm', here.name, ...on]),
    ).toMatchObject({
      exitCode: 0,
      out: 'marked as production\n',
    })
    expect(await here.orgdb('migrate', 'reset', '--confirm', here.name)).toMatchObject({
      exitCode: 3,
      err: expect.stringContaining('DB_ENVIRONMENT_MISMATCH'),
    })
    expect(await here.orgdb('migrate', 'reset', '--yes')).toMatchObject({ exitCode: 3 })
    expect(await here.orgdb('migrate', 'deploy')).toMatchObject({ exitCode: 3 })
    expect(await here.orgdb('migrate', 'deploy', '--environment', 'production')).toMatchObject({
      exitCode: 0,
    })
    // Who takes the mark away has to be that environment.
    expect(await orgdb(['config', 'mark', '--as', 'development', '--yes', ...on])).toMatchObject({
      exitCode: 3,
    })
  })
})

describe('orgdb migrate deploy', () => {
  it('marks the database with the environment that it was told, once', async () => {
    await using here = await stage()
    await here.write('1_a', { 'migration.sql': 'CREATE TABLE a ();' })
    await here.orgdb('migrate', 'deploy')
    expect((await here.sql("SELECT to_regclass('orgdb.environment') AS mark"))[0]).toEqual({ mark: null })
    await here.orgdb('migrate', 'deploy', '--environment', 'staging')
    expect(await here.sql('SELECT name FROM orgdb.environment')).toEqual([{ name: 'staging' }])
    expect(await here.orgdb('migrate', 'deploy')).toMatchObject({ exitCode: 3 })
    const reset = ['migrate', 'reset', '--environment', 'staging', '--confirm', here.name] as const
    expect(await here.orgdb(...reset)).toMatchObject({ exitCode: 0 })
    expect(await here.sql('SELECT name FROM orgdb.environment')).toEqual([{ name: 'staging' }])
  })
})

describe('orgdb doctor', () => {
  it('looks at everything, and says what is wrong', async () => {
    await using here = await stage()
    const well = await orgdb(['doctor', '--url', here.url], { cwd: project })
    expect(well).toMatchObject({ exitCode: 2 })
    expect(well.out).toMatch(/ok +PostgreSQL +1\d/)
    expect(well.out).toMatch(/warning +environment +the database has no mark/)
    expect(well.out).toMatch(/warning +migrations +1 pending/)
    const unreachable = await orgdb(['doctor', '--json', '--url', 'postgresql://a:secret@127.0.0.1:1/b'])
    expect(unreachable.exitCode).toBe(1)
    expect(unreachable.out).not.toContain('secret')
    expect(JSON.parse(unreachable.out)).toMatchObject({ ok: false })
  })
})

describe('orgdb dev', () => {
  it('runs a program with a database of its own, and ends with its exit code', async () => {
    const script = 'process.exit(process.env.DATABASE_URL?.startsWith("postgresql://") ? 7 : 1)'
    const run = await orgdb(['dev', '--no-redis', '--', process.execPath, '-e', script], { env: process.env })
    expect(run).toMatchObject({ exitCode: 7, err: expect.stringMatching(/^PostgreSQL 1\d/) })
  })

  it('stays until it is interrupted, and tells the addresses', async () => {
    const interrupt = new AbortController()
    const heard: string[] = []
    const run = orgdb(['dev', '--name', 'mine', '--no-redis'], {
      env: process.env,
      signal: interrupt.signal,
      onProgress: (text) => heard.push(text),
    })
    await expect.poll(() => heard.join(''), { timeout: 20_000 }).toContain('Ctrl-C')
    expect(heard.join('')).toMatch(/DATABASE_URL=postgresql:\/\/.*\/mine\n/)
    interrupt.abort()
    expect(await run).toMatchObject({ exitCode: 0 })
  })
})

describe('orgdb', () => {
  it('colours for terminals, and not where it is told not to', async () => {
    await using here = await stage()
    const status = (env: Readonly<Record<string, string>>, ...argv: readonly string[]) =>
      orgdb(['doctor', '--url', here.url, ...argv], { cwd: project, env })
    const green = '\u001b[32mok\u001b[39m'
    expect((await status({ FORCE_COLOR: '1' })).out).toContain(green)
    expect((await status({ FORCE_COLOR: '1', NO_COLOR: '1' })).out).not.toContain(green)
    expect((await status({ FORCE_COLOR: '1' }, '--plain')).out).not.toContain(green)
    expect((await status({})).out).not.toContain(green)
  })

  it('prints completion for the shells', async () => {
    for (const shell of ['bash', 'zsh', 'fish']) {
      expect((await orgdb(['completion', shell])).out).toContain('orgdb completion words --')
    }
    expect(await orgdb(['completion', 'tcsh'])).toMatchObject({ exitCode: 1 })
  })
})
