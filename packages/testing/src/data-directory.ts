import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { serverAccount } from './account.ts'
import { TestingError } from './errors.ts'
import type { PostgresBinaries } from './postgres-binaries.ts'
import { cached, writePrivate } from './temporary.ts'

const run = promisify(execFile)

function locale(version: string): readonly string[] {
  // Unicode-aware upper() and ILIKE on every machine; the sort order is that of the code points.
  if (Number.parseInt(version, 10) >= 17) {
    return ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
  }
  return ['--locale=C.UTF-8']
}

async function initialise(binaries: PostgresBinaries, path: string): Promise<void> {
  const account = serverAccount()
  const passwordFile = join(path, 'password')
  await writePrivate(passwordFile, randomBytes(16).toString('hex'))
  const init = (extra: readonly string[]) =>
    run(
      join(binaries.directory, 'initdb'),
      [
        ...['--pgdata', join(path, 'data'), '--username', 'postgres', '--pwfile', passwordFile],
        ...['--auth', 'scram-sha-256', '--encoding', 'UTF8', '--no-sync', ...extra],
      ],
      { ...account, cwd: '/', env: { PATH: process.env.PATH, LC_ALL: 'C' } },
    )
  try {
    await init(locale(binaries.version)).catch(async () => {
      // A system without the C.UTF-8 locale.
      await rm(join(path, 'data'), { recursive: true, force: true })
      await init(['--locale=C'])
    })
  } catch (cause) {
    const { stderr = '' } = cause as { stderr?: string }
    throw new TestingError('DB_TESTING_START_FAILED', `initdb failed:\n${stderr.trim()}`, { cause })
  }
}

/**
 * Copies an initialised data directory to `target` and returns its superuser's password. The directory is made
 * once for each build of PostgreSQL, its password is readable by this user only.
 */
export async function createDataDirectory(binaries: PostgresBinaries, target: string): Promise<string> {
  const account = serverAccount()
  const build = createHash('sha256').update(`1 ${account?.uid} ${binaries.build}`).digest('hex').slice(0, 12)
  const source = await cached(`data-${binaries.version}-${build}`, (path) => initialise(binaries, path))
  // `cp` copies a thousand small files in half of Node's time, and keeps their owner.
  await run('cp', ['-Rp', join(source, 'data'), target])
  return readFile(join(source, 'password'), 'utf8')
}
