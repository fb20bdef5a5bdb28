import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, lstatSync, mkdirSync, statfsSync, statSync } from 'node:fs'
import { chown, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { serverAccount } from './account.ts'
import { TestingError } from './errors.ts'
import { guard } from './watchdog.ts'

const day = 24 * 60 * 60 * 1000

/** Whether the server's account can reach what is in the directory. */
function reachable(directory: string): boolean {
  if (!serverAccount()) return true
  for (let path = resolve(directory); ; path = dirname(path)) {
    if ((statSync(path).mode & 0o001) === 0) return false
    if (path === dirname(path)) return true
  }
}

/** Root's own TMPDIR may be closed to the server's account. */
function temporaryRoot(): string {
  return reachable(tmpdir()) ? tmpdir() : '/tmp'
}

/** In memory where there is plenty: on most disks, copying a database there takes a tenth of the time. */
function dataRoot(): string {
  const memory = '/dev/shm'
  if (!existsSync(memory)) return temporaryRoot()
  const { bavail, bsize } = statfsSync(memory)
  return bavail * bsize >= 2 * 1024 ** 3 ? memory : temporaryRoot()
}

/** A server's own directory. */
export interface ServerDirectory {
  readonly path: string
  remove(): Promise<void>
}

/** Makes a directory that only the server's account can read, removed at the latest when this process ends. */
export async function serverDirectory(name: string, parent: string = dataRoot()): Promise<ServerDirectory> {
  if (!reachable(parent)) {
    throw new TestingError(
      'DB_TESTING_ENVIRONMENT',
      `Servers do not run as root, and their account can't enter ${parent}: choose another directory or run the tests as another user`,
    )
  }
  const path = await mkdtemp(join(parent, `org-db-testing-${name}-`))
  const release = guard({ directory: path })
  const account = serverAccount()
  if (account) await chown(path, account.uid, account.gid)
  return {
    path,
    async remove() {
      await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
      release()
    },
  }
}

/** Writes a file that the server's account, and nobody else, can read. */
export async function writePrivate(path: string, content: string): Promise<void> {
  await writeFile(path, content, { mode: 0o600 })
  const account = serverAccount()
  if (account) await chown(path, account.uid, account.gid)
}

function cacheDirectory(): string {
  const uid = process.getuid?.() ?? 0
  const path = join(temporaryRoot(), `org-db-testing-cache-${uid}`)
  mkdirSync(path, { recursive: true, mode: 0o700 })
  const { mode, uid: owner } = lstatSync(path)
  // Binaries are run from here: a directory that somebody else can write to is not to be trusted.
  if (owner !== uid || (mode & 0o022) !== 0) {
    throw new TestingError('DB_TESTING_ENVIRONMENT', `${path} belongs to or can be written by another user`)
  }
  // Whatever the umask is: the server's account has to pass.
  chmodSync(path, 0o755)
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
