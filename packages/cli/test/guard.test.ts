import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { testDatabase } from '@org/db-testing'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { runCli } from '../src/index.ts'

/** A deployed database, and `orgdb` on it with an environment of its own. */
async function stage() {
  const directory = await mkdtemp(join(tmpdir(), 'orgdb-guard-'))
  const database = await testDatabase({ name: 'cli-guard', setup: 'SELECT 1' })
  const schema = join(directory, 'schema.prisma')
  const orgdb = async (env: Readonly<Record<string, string>>, ...argv: readonly string[]) => {
    const out: string[] = []
    const err: string[] = []
    const exitCode = await runCli(['migrate', ...argv, '--directory', directory, '--prisma-schema', schema], {
      env,
      stdout: { write: (text) => out.push(text) },
      stderr: { write: (text) => err.push(text) },
      stdin: Readable.from([]) as unknown as NodeJS.ReadableStream,
    })
    return { exitCode, out: out.join(''), err: err.join('') }
  }
  const write = async (name: string, files: Readonly<Record<string, string>>) => {
    await mkdir(join(directory, name), { recursive: true })
    for (const [file, text] of Object.entries(files)) await writeFile(join(directory, name, file), text)
  }
  await write('1_a', { 'migration.sql': 'CREATE TABLE a ();', 'rollback.sql': 'DROP TABLE a;' })
  await orgdb({}, 'deploy', '--url', database.url)
  return {
    orgdb,
    write,
    schema,
    url: database.url,
    name: new URL(database.url).pathname.slice(1),
    async [Symbol.asyncDispose]() {
      await database[Symbol.asyncDispose]()
      await rm(directory, { recursive: true })
    },
  }
}

describe('the environment guards a database', () => {
  it.each(['DB_ENVIRONMENT', 'NODE_ENV'])('also where --url names it, by %s', async (variable) => {
    await using here = await stage()
    const env = { [variable]: 'production', DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none' }
    const url = ['--url', here.url]
    expect(await here.orgdb(env, 'rollback', ...url)).toMatchObject({ exitCode: 3 })
    expect(await here.orgdb(env, 'reset', '--confirm', here.name, ...url)).toMatchObject({ exitCode: 3 })
    expect(await here.orgdb(env, 'status', ...url)).toMatchObject({ exitCode: 0 })
    const development = ['--environment', 'development']
    expect(await here.orgdb(env, 'rollback', ...url, ...development)).toMatchObject({ exitCode: 0 })
  })

  it('--url wins over the way around a pooler that belongs to another address', async () => {
    await using here = await stage()
    const env = { DIRECT_DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none' }
    expect(await here.orgdb(env, 'status', '--url', here.url)).toMatchObject({ exitCode: 0 })
  })
})

describe('orgdb migrate', () => {
  it('takes what it knows and nothing else', async () => {
    await using here = await stage()
    const url = ['--url', here.url]
    for (const argv of [
      ['deploy', 'nonsense', 'extra'],
      ['rollback', '3'],
      ['status', '--steps', '2'],
      ['rollback', '--steps', '0'],
      ['deploy', '--wait', '-1'],
    ]) {
      expect(await here.orgdb({}, ...argv, ...url), argv.join(' ')).toMatchObject({ exitCode: 1 })
    }
    expect(await here.orgdb({}, 'status', ...url)).toMatchObject({ exitCode: 0 })
  })

  it('plans as far as it would deploy', async () => {
    await using here = await stage()
    await here.write('2_b', { 'migration.sql': 'CREATE TABLE b ();' })
    await here.write('3_c', { 'migration.sql': 'CREATE TABLE c ();' })
    const { out } = await here.orgdb({}, 'deploy', '--dry-run', '--to', '2_b', '--url', here.url)
    expect(out).toContain('2_b')
    expect(out).not.toContain('3_c')
  })

  it('holds a deployment to a strategy', async () => {
    await using here = await stage()
    await here.write('2_b', { 'migration.sql': 'CREATE TABLE b ();', 'data.mjs': 'export default { up: 1 }' })
    const deploy = (...flags: readonly string[]) => here.orgdb({}, 'deploy', ...flags, '--url', here.url)
    expect(await deploy()).toMatchObject({ exitCode: 1, err: expect.stringContaining('DATA_LOAD') })
    expect(await deploy('--no-data-scripts', '--rollback-support')).toMatchObject({ exitCode: 3 })
    await here.write('2_b', { 'metadata.json': '{ "phase": "contract", "requires": ["3_c"] }' })
    expect(await deploy('--no-data-scripts', '--zero-downtime')).toMatchObject({ exitCode: 3 })
    expect(await deploy('--no-data-scripts')).toMatchObject({ exitCode: 0, out: '1 applied\n' })
  })

  it('waits for another runner no longer than it was told', async () => {
    await using here = await stage()
    const other = new pg.Client({ connectionString: here.url })
    await other.connect()
    await other.query('SELECT pg_advisory_lock(72707369)')
    try {
      const told = await here.orgdb({}, 'deploy', '--wait', '0', '--url', here.url)
      expect(told).toMatchObject({ exitCode: 4, err: expect.stringContaining('Another runner') })
    } finally {
      await other.end()
    }
  })

  it('answers programs also where a data script fails, without what it says of a row', async () => {
    await using here = await stage()
    const script = "export default { up: async () => { throw new Error('secret-4711') } }"
    await here.write('2_b', { 'migration.sql': 'CREATE TABLE b ();', 'data.mjs': script })
    const { exitCode, out, err } = await here.orgdb({}, 'deploy', '--json', '--url', here.url)
    expect(JSON.parse(out)).toMatchObject({ error: { code: 'DB_MIGRATIONS_DATA_FAILED', line: 1 } })
    expect({ exitCode, err, secret: out.includes('secret') }).toEqual({ exitCode: 1, err: '', secret: false })
  })

  it('needs no database to write and to look at files, and says how one is named', async () => {
    await using here = await stage()
    await writeFile(here.schema, 'datasource db {\n provider = "postgresql"\n}\nmodel Film {\n id Int @id\n}')
    expect(await here.orgdb({}, 'lint', '--offline')).toMatchObject({ exitCode: 2, err: '' })
    expect(await here.orgdb({}, 'create', 'film', '--empty')).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining('DATABASE_URL'),
    })
    await here.write('1_a', {
      'schema.snapshot.prisma': 'datasource db {\n provider = "postgresql"\n}\n',
    })
    expect(await here.orgdb({}, 'create', 'film')).toMatchObject({
      exitCode: 0,
      out: expect.stringContaining('_film'),
    })
    expect(await here.orgdb({}, 'status')).toMatchObject({
      exitCode: 1,
      err: expect.stringMatching(/DATABASE_URL.*--url/),
    })
  })
})

it('points to the group of a command, and to standard error where nothing was asked', async () => {
  const told = (argv: readonly string[]) => {
    const out: string[] = []
    const err: string[] = []
    const stdin = Readable.from([]) as unknown as NodeJS.ReadableStream
    const streams = {
      stdout: { write: (text: string) => out.push(text) },
      stderr: { write: (text: string) => err.push(text) },
    }
    return runCli(argv, { env: {}, ...streams, stdin }).then((exitCode) => ({
      exitCode,
      out: out.join(''),
      err: err.join(''),
    }))
  }
  expect(await told(['status'])).toMatchObject({
    exitCode: 1,
    err: expect.stringContaining('orgdb migrate status'),
  })
  expect(await told([])).toMatchObject({ exitCode: 1, out: '', err: expect.stringContaining('orgdb GROUP') })
  expect(await told(['--help'])).toMatchObject({ exitCode: 0, err: '' })
})
