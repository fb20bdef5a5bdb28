import type { Dirent } from 'node:fs'
import { chown, copyFile, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { serverAccount } from './account.ts'

/** What a standby makes anew: https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-LOWLEVEL-BASE-BACKUP-DATA */
const emptied: ReadonlySet<string> = new Set([
  ...['pg_wal', 'pg_replslot', 'pg_dynshmem', 'pg_notify', 'pg_serial', 'pg_snapshots', 'pg_stat_tmp'],
  'pg_subtrans',
])
const leftOut: ReadonlySet<string> = new Set(['postmaster.pid', 'postmaster.opts', 'standby.signal'])

/** Copies the data directory of a running server that is in backup mode; files that vanish meanwhile are left out. */
export async function copyDataDirectory(source: string, target: string): Promise<void> {
  await make(target)
  for (const entry of await readdir(source, { withFileTypes: true })) {
    if (leftOut.has(entry.name)) continue
    if (emptied.has(entry.name)) await make(join(target, entry.name))
    else await copy(entry, source, target)
  }
  await make(join(target, 'pg_wal', 'archive_status'))
}

async function copy(entry: Dirent, source: string, target: string): Promise<void> {
  const [from, to] = [join(source, entry.name), join(target, entry.name)]
  if (entry.isDirectory()) {
    await make(to)
    const entries = await readdir(from, { withFileTypes: true }).catch(unlessGone([]))
    await Promise.all(entries.map((each) => copy(each, from, to)))
  } else if (entry.isFile() && !entry.name.startsWith('pgsql_tmp')) {
    await copyFile(from, to).then(() => own(to), unlessGone(undefined))
  }
}

async function make(directory: string): Promise<void> {
  await mkdir(directory, { mode: 0o700 })
  await own(directory)
}

async function own(path: string): Promise<void> {
  const account = serverAccount()
  if (account) await chown(path, account.uid, account.gid)
}

function unlessGone<T>(instead: T): (error: unknown) => T {
  return (error) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return instead
    throw error
  }
}
