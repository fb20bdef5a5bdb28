import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { lintRules, lintSql } from '../src/lint/index.ts'
import { dangerous, harmless } from './lint-set.ts'

const run = promisify(execFile)

async function ours(sql: string): Promise<boolean> {
  return (await lintSql({ sql })).some(({ severity }) => severity !== 'info')
}

/** Rules about style and timeouts, which every file of the set breaks, left out. */
const style = [
  'prefer-robust-stmts',
  'prefer-bigint-over-int',
  'prefer-bigint-over-smallint',
  'prefer-identity',
  'prefer-text-field',
  'prefer-timestamp-tz',
  'require-timeout-settings',
  'require-lock-timeout',
  'require-statement-timeout',
  'require-table-schema',
  'require-enum-value-ordering',
  'ban-char-field',
]

/** Which of the statements squawk has something against. */
async function squawk(statements: readonly string[]): Promise<readonly boolean[]> {
  const directory = await mkdtemp(join(tmpdir(), 'squawk-'))
  try {
    const files = statements.map((_, index) => join(directory, `${index}.sql`))
    for (const [index, sql] of statements.entries()) await writeFile(files[index] ?? '', `${sql};\n`)
    const bin = join(
      createRequire(import.meta.url).resolve('squawk-cli/package.json'),
      '..',
      'js',
      'bin',
      'squawk',
    )
    const args = [
      '--reporter',
      'json',
      '--pg-version',
      '15',
      '--assume-in-transaction',
      `--exclude=${style.join(',')}`,
    ]
    const { stdout } = await run(process.execPath, [bin, ...args, ...files], { maxBuffer: 1e8 }).catch(
      (error: { readonly stdout: string }) => error,
    )
    const found = new Set((JSON.parse(stdout) as { readonly file: string }[]).map(({ file }) => file))
    return files.map((file) => found.has(file))
  } finally {
    await rm(directory, { recursive: true })
  }
}

const share = (flags: readonly boolean[]): number =>
  Math.round((1_000 * flags.filter(Boolean).length) / flags.length) / 10

describe('the labelled set', () => {
  it('has 150 statements, and the lint enough rules', () => {
    expect(dangerous.length + harmless.length).toBe(150)
    expect(lintRules.size).toBeGreaterThanOrEqual(32)
  })

  it('the lint finds what is dangerous', async () => {
    const flags = await Promise.all(dangerous.map(ours))
    expect(dangerous.filter((_, index) => !flags[index])).toEqual([])
  })

  it('the lint leaves alone what is harmless', async () => {
    const flags = await Promise.all(harmless.map(ours))
    expect(harmless.filter((_, index) => flags[index])).toEqual([])
  })

  it('squawk on the same set', async () => {
    const figures = {
      statements: [dangerous.length, harmless.length],
      recallPercent: {
        ours: share(await Promise.all(dangerous.map(ours))),
        squawk: share(await squawk(dangerous)),
      },
      falsePositivePercent: {
        ours: share(await Promise.all(harmless.map(ours))),
        squawk: share(await squawk(harmless)),
      },
    }
    expect(figures).toMatchInlineSnapshot(`
      {
        "falsePositivePercent": {
          "ours": 0,
          "squawk": 8.3,
        },
        "recallPercent": {
          "ours": 100,
          "squawk": 58.9,
        },
        "statements": [
          90,
          60,
        ],
      }
    `)
  })
})
