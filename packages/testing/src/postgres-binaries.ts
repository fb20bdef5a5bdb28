import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { serverAccount } from './account.ts'
import { embeddedDirectory } from './embedded-binaries.ts'
import { TestingError } from './errors.ts'

const run = promisify(execFile)
const oldest = 14

/** Where a PostgreSQL comes from. */
export interface PostgresBinaries {
  readonly source: 'system' | 'embedded'
  readonly directory: string
  /** As PostgreSQL says it: `15.18`. */
  readonly version: string
  /** Distinguishes builds of one version. */
  readonly build: string
}

const complete = (directory: string) =>
  existsSync(join(directory, 'postgres')) && existsSync(join(directory, 'initdb'))

function versioned(parent: string, prefix: string): readonly string[] {
  if (!existsSync(parent)) return []
  return readdirSync(parent)
    .filter((entry) => entry.startsWith(prefix) && /^\d+$/.test(entry.slice(prefix.length)))
    .sort((a, b) => Number(b.slice(prefix.length)) - Number(a.slice(prefix.length)))
    .map((entry) => join(parent, entry, 'bin'))
}

function systemDirectories(): readonly string[] {
  const { PG_BIN, PATH = '' } = process.env
  if (PG_BIN) return [PG_BIN]
  return [
    ...PATH.split(delimiter).filter((entry) => entry !== ''),
    ...versioned('/usr/lib/postgresql', ''),
    ...versioned('/usr', 'pgsql-'),
    ...versioned('/opt/homebrew/opt', 'postgresql@'),
    ...versioned('/usr/local/opt', 'postgresql@'),
  ]
}

async function inspect(source: 'system' | 'embedded', directory: string): Promise<PostgresBinaries> {
  const { stdout } = await run(join(directory, 'postgres'), ['--version'], { ...serverAccount(), cwd: '/' })
  const version = /\(PostgreSQL\) (\S+)/.exec(stdout)?.[1] ?? 'unknown'
  return { source, directory, version, build: stdout.trim() }
}

async function system(): Promise<PostgresBinaries> {
  const refused: string[] = []
  for (const directory of systemDirectories().filter(complete)) {
    try {
      const found = await inspect('system', directory)
      if (Number.parseInt(found.version, 10) >= oldest) return found
      refused.push(`${directory} is version ${found.version}, ${oldest} or later is needed`)
    } catch (error) {
      refused.push(`${directory} can't be run (${(error as NodeJS.ErrnoException).code ?? 'failed'})`)
    }
  }
  const reason = refused.length > 0 ? refused.join('; ') : 'PostgreSQL is not installed'
  throw new TestingError(
    'DB_TESTING_BINARY_MISSING',
    `${reason}. Install the server (Debian: apt-get install postgresql; macOS: brew install postgresql@17), set PG_BIN to its bin directory, or use binaries: 'embedded'`,
  )
}

/** Finds a PostgreSQL that can be run here; with `auto` the system's, else the embedded one. */
export async function postgresBinaries(wanted: 'auto' | 'system' | 'embedded'): Promise<PostgresBinaries> {
  if (wanted === 'embedded') return inspect('embedded', await embeddedDirectory())
  try {
    return await system()
  } catch (missing) {
    if (wanted === 'system') throw missing
    try {
      return await inspect('embedded', await embeddedDirectory())
    } catch (error) {
      const reasons = [missing, error].map((cause) => (cause as Error).message).join('. ')
      throw new TestingError('DB_TESTING_BINARY_MISSING', reasons, { cause: error })
    }
  }
}
