import { readFileSync } from 'node:fs'
import { TestingError } from './errors.ts'

/** The account a server runs under when the tests run as root, which PostgreSQL and PgBouncer refuse. */
export interface Account {
  readonly uid: number
  readonly gid: number
}

/** The account for servers, or `undefined` when this process is not root and they run as it does. */
export function serverAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n')
  // `nobody` owns nothing, so a server under it can harm nothing.
  for (const name of ['nobody', 'postgres', 'daemon']) {
    const [, , uid, gid] = lines.find((line) => line.startsWith(`${name}:`))?.split(':') ?? []
    if (uid !== undefined && Number(uid) > 0) return { uid: Number(uid), gid: Number(gid) }
  }
  throw new TestingError(
    'DB_TESTING_ENVIRONMENT',
    'PostgreSQL refuses to run as root, and there is no account "nobody" to run it under: run the tests as another user',
  )
}
