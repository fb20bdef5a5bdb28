import { randomBytes } from 'node:crypto'
import { existsSync, lstatSync, mkdirSync, statSync } from 'node:fs'
import { chown, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { serverAccount } from './account.ts'
import { TestingError } from './errors.ts'
import { guard } from './watchdog.ts'

const day = 24 * 60 * 60 * 1000

/** A directory that every account can enter: root's own TMPDIR may be closed to the server's account. */
function temporaryRoot(): string {
  const root = tmpdir()
  if (process.getuid?.() !== 0) return root
  for (let path = root; ; path = dirname(path)) {
    if ((statSync(path).mode & 0o001) === 0) return '/tmp'
    if (path === dirname(path)) return root
  }
}

/** A new directory that only the server's account can read, removed when this process ends. */
export async function serverDirectory(name: string): Promise<{ path: string; release: () => void }> {
  const path = await mkdtemp(join(temporaryRoot(), `org-db-testing-${name}-`))
  const release = guard({ directory: path })
  const account = serverAccount()
  if (account) await chown(path, account.uid, account.gid)
  return { path, release }
}

function cacheDirectory(): string {
  const uid = process.getuid?.() ?? 0
  const path = join(temporaryRoot(), `org-db-testing-cache-${uid}`)
  mkdirSync(path, { recursive: true, mode: 0o755 })
  const { mode, uid: owner } = lstatSync(path)
  // Binaries are run from here: a directory that somebody else can write to is not to be trusted.
  if (owner !== uid || (mode & 0o022) !== 0) {
    throw new TestingError('DB_TESTING_ENVIRONMENT', `${path} belongs to or can be written by another user`)
  }
  return path
}

/**
 * The path of something expensive, built by the first process that needs it. Several may build at once: one
 * rename wins. It is built anew every four days, since cleaners of temporary directories remove older files.
 */
export async function cached(name: string, build: (path: string) => Promise<void>): Promise<string> {
  const cache = cacheDirectory()
  const period = Math.floor(Date.now() / (4 * day))
  const path = join(cache, `${name}.${period}`)
  if (existsSync(path)) return path
  const staging = join(cache, `${name}.${randomBytes(6).toString('hex')}.new`)
  const release = guard({ directory: staging })
  try {
    await mkdir(staging)
    const account = serverAccount()
    if (account) await chown(staging, account.uid, account.gid)
    await build(staging)
    await rename(staging, path)
  } catch (error) {
    await rm(staging, { recursive: true, force: true })
    if (!existsSync(path)) throw error
  } finally {
    release()
  }
  for (const entry of await readdir(cache)) {
    const age = period - Number(entry.slice(entry.lastIndexOf('.') + 1))
    if (age > 1) await rm(join(cache, entry), { recursive: true, force: true })
  }
  return path
}
