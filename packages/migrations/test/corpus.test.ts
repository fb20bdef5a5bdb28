import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startPostgres } from '@org/db-testing'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { migrationList } from '../src/engine/migration-list.ts'
import { askEngine } from '../src/engine/open-engine.ts'
import { readMigrations } from '../src/folder.ts'
import { compareCatalogs, readCatalog } from '../src/scratch/catalog.ts'
import { openSession } from '../src/session.ts'
import { scanSql, splitSql } from '../src/sql/index.ts'
import { corpus } from './corpus.ts'
import { project } from './project.ts'

const run = promisify(execFile)
const hasPsql = await run('psql', ['--version']).then(
  () => true,
  () => false,
)
if (!hasPsql) process.stderr.write('There is no psql here: splitting is not compared with it\n')

const files = Object.fromEntries(
  corpus.map(({ name, sql, rollback }) => [
    name,
    { 'migration.sql': sql, ...(rollback !== undefined && { 'rollback.sql': rollback }) },
  ]),
)

/** A statement as its tokens: psql drops empty lines and leaves comments in. */
async function tokensOf(text: string): Promise<string> {
  const tokens = (await scanSql(text)).filter(({ tokenName }) => !tokenName.endsWith('COMMENT'))
  const own = tokens.at(-1)?.text === ';' ? tokens.slice(0, -1) : tokens
  return own.map((each) => each.text).join(' ')
}

describe('the corpus', () => {
  it('has enough migrations', () => {
    expect(corpus.length).toBeGreaterThanOrEqual(60)
  })

  it.skipIf(!hasPsql)('is split as psql splits it', { timeout: 60_000 }, async () => {
    await using server = await startPostgres({
      settings: {
        logging_collector: 'on',
        log_destination: 'jsonlog',
        log_statement: 'all',
        log_min_error_statement: 'panic',
      },
    })
    const directory = await mkdtemp(join(tmpdir(), 'corpus-'))
    const client = new pg.Client({ connectionString: server.url })
    await client.connect()
    try {
      for (const { name, sql } of corpus) await writeFile(join(directory, `${name}.sql`), sql)
      // One session for all, with the name of each file before it.
      const each = corpus.flatMap(({ name }) => [
        '-c',
        `SELECT 'file ${name}'`,
        '-f',
        join(directory, `${name}.sql`),
      ])
      await run('psql', [server.url, '-X', '-q', '-o', '/dev/null', '-v', 'ON_ERROR_STOP=1', ...each], {
        env: { ...process.env, PGAPPNAME: 'corpus' },
      })
      const { rows } = await client.query<{ log: string }>(
        "SELECT pg_read_file(pg_current_logfile('jsonlog')) AS log",
      )
      const lines = (rows[0]?.log ?? '').split('\n').filter(Boolean)
      const logged = lines.map((line) => JSON.parse(line) as { application_name?: string; message?: string })
      const byFile = new Map<string, string[]>()
      let current: string[] = []
      for (const { application_name: by, message = '' } of logged) {
        if (by !== 'corpus' || !message.startsWith('statement: ')) continue
        const text = message.slice('statement: '.length)
        const next = /^SELECT 'file (.*)'$/.exec(text)?.[1]
        if (next === undefined) current.push(text)
        else {
          current = []
          byFile.set(next, current)
        }
      }
      for (const { name, sql } of corpus) {
        const sent = byFile.get(name) ?? []
        const theirs = (await Promise.all(sent.map(tokensOf))).filter((text) => text !== '')
        const ours = await Promise.all((await splitSql(sql)).map(({ text }) => tokensOf(text)))
        expect(ours, name).toEqual(theirs)
      }
    } finally {
      await client.end()
      await rm(directory, { recursive: true })
    }
  })

  it("applies, with the same result as by Prisma's engine, which then agrees on the history", {
    timeout: 60_000,
  }, async () => {
    await using ours = await project(files)
    await using theirs = await project(files)
    expect((await ours.migrator().deploy()).applied).toHaveLength(corpus.length)
    const list = migrationList(theirs.directory, await readMigrations(theirs.directory))
    const filters = { externalTables: [], externalEnums: [] }
    const main = (url: string) => () => openSession({ url, ssl: { mode: 'disable' } })
    await askEngine({ main: main(theirs.url) }, (engine) =>
      engine.applyMigrations({ migrationsList: list, filters }),
    )
    const [a, b] = [await ours.connect(), await theirs.connect()]
    const catalog = (client: pg.Client) =>
      readCatalog({ query: async (sql: string) => (await client.query(sql)).rows as never })
    expect(compareCatalogs(await catalog(b), await catalog(a))).toEqual([])
    const input = { migrationsList: list, optInToShadowDatabase: false, filters }
    const agreed = await askEngine({ main: main(ours.url) }, (engine) =>
      engine.diagnoseMigrationHistory(input),
    )
    expect(agreed).toEqual({
      editedMigrationNames: [],
      failedMigrationNames: [],
      hasMigrationsTable: true,
      history: null,
    })
    expect((await theirs.migrator().status()).upToDate).toBe(true)
  })

  it('goes up, back and up again with equal catalogs', { timeout: 60_000 }, async () => {
    await using folder = await project(files)
    const { ok, migrations } = await folder.migrator().verify()
    expect(migrations.filter(({ result }) => result === 'different')).toEqual([])
    expect(ok).toBe(true)
    expect(migrations.filter(({ result }) => result === 'same').length).toBeGreaterThan(45)
  })

  it('400 migrations take no more than their number says', { timeout: 60_000 }, async () => {
    const many = (count: number) =>
      Object.fromEntries(
        Array.from({ length: count }, (_, index) => [
          `${1_000 + index}_t`,
          `CREATE TABLE t${index} (id int);`,
        ]),
      )
    const measure = async (count: number) => {
      await using folder = await project(many(count))
      const startedAt = performance.now()
      await folder.migrator().deploy()
      const deployed = performance.now()
      await folder.migrator().status()
      return { deployMs: deployed - startedAt, statusMs: performance.now() - deployed }
    }
    const [small, large] = [await measure(100), await measure(400)]
    // Four times as many: eight times as long would be on the way to sixteen.
    expect(large.deployMs).toBeLessThan(8 * small.deployMs)
    expect(large.statusMs).toBeLessThan(Math.max(8 * small.statusMs, 500))
  })
})
