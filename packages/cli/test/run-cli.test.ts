import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { runCli } from '../src/index.ts'
import { stage } from './support/stage.ts'

const host = () => {
  const out: string[] = []
  const write = (text: string) => out.push(text)
  return {
    out,
    env: {},
    stdout: { write },
    stderr: { write },
    stdin: Readable.from([]) as unknown as NodeJS.ReadableStream,
  }
}

describe('orgdb', () => {
  it('create, lint, dry run, deploy, status, rollback, as a stranger does it', async () => {
    await using here = await stage()
    await here.schema('model Film {\n id Int @id @default(autoincrement())\n title String\n}')
    expect(await here.orgdb('migrate', 'create', 'films')).toMatchObject({
      exitCode: 0,
      out: expect.stringContaining('_films'),
    })
    expect(await here.orgdb('migrate', 'lint')).toMatchObject({ exitCode: 0 })
    const dry = await here.orgdb('migrate', 'deploy', '--dry-run')
    expect(dry).toMatchObject({ exitCode: 2, out: expect.stringContaining('tx 1  CREATE TABLE "Film"') })
    const deployed = await here.orgdb('migrate', 'deploy')
    expect(deployed).toMatchObject({
      exitCode: 0,
      out: '1 applied\n',
      err: expect.stringMatching(/films: done in \d/),
    })
    expect(await here.orgdb('migrate', 'status')).toMatchObject({
      exitCode: 0,
      out: expect.stringContaining('applied'),
    })
    expect(await here.orgdb('migrate', 'verify')).toMatchObject({ exitCode: 0 })
    expect(await here.orgdb('migrate', 'drift')).toMatchObject({ exitCode: 0, out: 'No drift\n' })
    expect(await here.orgdb('migrate', 'rollback')).toMatchObject({ exitCode: 0, out: '1 rolled back\n' })
    expect(await here.orgdb('migrate', 'status')).toMatchObject({
      exitCode: 2,
      out: expect.stringContaining('pending'),
    })
  })

  it('answers programs in JSON, errors included', async () => {
    await using here = await stage()
    await here.write('1_a', { 'migration.sql': 'CREATE TABLE a (); SELECT nothing();' })
    const { exitCode, out, err } = await here.orgdb('migrate', 'deploy', '--json')
    expect({ exitCode, err }).toEqual({ exitCode: 1, err: '' })
    expect(JSON.parse(out)).toMatchObject({
      error: { code: 'DB_MIGRATIONS_STATEMENT_FAILED', statement: 2, line: 1 },
    })
  })

  it('refuses with its own exit code', async () => {
    await using here = await stage()
    await here.write('1_a', { 'migration.sql': 'CREATE TABLE a ();' })
    await here.orgdb('migrate', 'deploy')
    expect(await here.orgdb('migrate', 'rollback')).toMatchObject({ exitCode: 3 })
    expect(await here.orgdb('migrate', 'reset', '--confirm', 'wrong')).toMatchObject({ exitCode: 3 })
    expect(await here.orgdb('migrate', 'reset')).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining('--confirm'),
    })
    expect(await here.orgdb('migrate', 'reset', '--confirm', here.name)).toMatchObject({
      exitCode: 0,
      out: '1 applied\n',
    })
  })

  it('takes over, decides and repairs', async () => {
    await using here = await stage()
    await here.write('1_a', { 'migration.sql': 'CREATE TABLE a ();' })
    await here.write('2_b', { 'migration.sql': 'CREATE TABLE b ();' })
    expect(await here.orgdb('migrate', 'baseline', '--to', '1_a')).toMatchObject({
      out: '1 taken as applied\n',
    })
    expect(await here.orgdb('migrate', 'resolve', '2_b', 'applied')).toMatchObject({ exitCode: 0 })
    await here.write('1_a', { 'migration.sql': 'CREATE TABLE a (); -- first' })
    expect(await here.orgdb('migrate', 'repair')).toMatchObject({ out: '1_a  checksum taken over\n' })
  })

  it('explains itself, and says what is wrong with a command line', async () => {
    const told = host()
    expect(await runCli(['--help'], told)).toBe(0)
    expect(told.out.join('')).toContain('migrations: create, lint, plan')
    for (const argv of [
      ['migrate'],
      ['migrate', 'up'],
      ['seed'],
      ['migrate', 'deploy', '--wrong'],
      ['migrate', 'create'],
    ]) {
      expect(
        await runCli([...argv, ...(argv[1] === 'create' ? ['--url', 'postgresql://a@b/c'] : [])], host()),
      ).toBe(1)
    }
  })
})
