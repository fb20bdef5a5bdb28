import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { start } from './support/program.ts'
import { orgdb } from './support/stage.ts'

let cwd = ''
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'orgdb-config-'))
})
afterAll(() => rm(cwd, { recursive: true }))

let count = 0
/** What `orgdb` says of a configuration; each has a name of its own, for modules are loaded once. */
async function of(text: string, name = 'mjs') {
  count += 1
  const file = `config${count}.${name}`
  await writeFile(join(cwd, file), text)
  // In a process of its own: a test runner loads modules in its own way.
  const program = start(['saga', 'list', '--config', file], { cwd })
  const exitCode = await program.exitCode
  return { exitCode, err: program.err().replaceAll(join(cwd, file), 'FILE') }
}

describe('orgdb.config.ts', () => {
  it('that can not be loaded is told of without our stack', async () => {
    const broken = {
      'export default {': 'Unexpected end of input',
      'import "no-such-package"': "Cannot find package 'no-such-package'",
      'function deep() { throw new Error("mine") }\ndeep()': 'Error: mine\n  at deep (file://FILE:1:25)',
      'throw 7': "FILE can't be loaded: 7",
    }
    for (const [text, message] of Object.entries(broken)) {
      const { exitCode, err } = await of(text)
      expect(exitCode).toBe(1)
      expect(err).toContain(message)
      expect(err).not.toMatch(/node:internal|load-config/)
      expect(err.trim().split('\n').length).toBeLessThanOrEqual(2)
    }
    expect((await of('const a: number = ;', 'ts')).err).toMatch(/can't be loaded.*\n.*:1:18/)
  })

  it('that is wrong is told of field by field', async () => {
    const { exitCode, err } = await of(
      'export default { migrations: { direktory: "x", packages: 5 }, comands: [], commands: [null] }',
    )
    expect(exitCode).toBe(1)
    expect(err.trim().split('\n')).toEqual([
      'FILE is wrong:',
      '  comands: is no option; there are migrations, commands',
      '  migrations.direktory: is no option; there are directory, prismaSchema, strategy, packages',
      '  migrations.packages: is no list',
      '  commands[0]: is no group of commands',
    ])
    expect((await of('export default { commands: {} }')).err).toContain('commands: is no list')
  })
})

describe('a command line', () => {
  it('that is wrong is answered in the words of the command', async () => {
    expect(await orgdb(['migrate', 'status', '--bogus'], { cwd })).toMatchObject({
      exitCode: 1,
      err: 'orgdb migrate status has no option --bogus; orgdb migrate status --help lists them\n',
    })
    expect((await orgdb(['migrate', 'rollback', '--steps', '-1'], { cwd })).err).toBe(
      '--steps needs a value; one that begins with a dash: --steps=-1\n',
    )
    expect(await orgdb(['--version'], { cwd })).toMatchObject({
      exitCode: 0,
      out: expect.stringMatching(/^\d+\.\d+/),
    })
  })

  it('in a folder whose package.json is broken says so', async () => {
    await writeFile(join(cwd, 'package.json'), '{ no json')
    const { exitCode, err } = await orgdb(['--help'], { cwd })
    await rm(join(cwd, 'package.json'))
    expect({ exitCode, err }).toEqual({ exitCode: 1, err: `${join(cwd, 'package.json')} is no JSON\n` })
  })
})
