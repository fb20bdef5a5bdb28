import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { testDatabase } from '@org/db-testing'
import { describe, expect, it } from 'vitest'
import { runCli } from '../src/index.ts'

/** A deployed database, and `orgdb` on it with an environment of its own. */
async function stage() {
  const directory = await mkdtemp(join(tmpdir(), 'orgdb-guard-'))
  const database = await testDatabase({ name: 'cli-guard', setup: 'SELECT 1' })
  await mkdir(join(directory, '1_a'))
  await writeFile(join(directory, '1_a', 'migration.sql'), 'CREATE TABLE a ();')
  await writeFile(join(directory, '1_a', 'rollback.sql'), 'DROP TABLE a;')
  const orgdb = async (env: Readonly<Record<string, string>>, ...argv: readonly string[]) => {
    const out: string[] = []
    const err: string[] = []
    const exitCode = await runCli(['migrate', ...argv, '--directory', directory], {
      env,
      stdout: { write: (text) => out.push(text) },
      stderr: { write: (text) => err.push(text) },
      stdin: Readable.from([]) as unknown as NodeJS.ReadableStream,
    })
    return { exitCode, out: out.join(''), err: err.join('') }
  }
  await orgdb({}, 'deploy', '--url', database.url)
  return {
    orgdb,
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
