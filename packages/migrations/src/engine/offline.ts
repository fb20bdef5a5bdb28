import type { Session } from '../session.ts'

/** The version that scripts are written for where there is no server to ask: the oldest that Prisma tests. */
const serverVersion = 140_000

/**
 * Stands in for a connection where two schemas are compared: all that the engine asks then is which server it writes
 * for. Anything else it asks is an error.
 */
export function offlineSession(): Session {
  const refuse = async (): Promise<never> => {
    throw new Error('There is no database in this comparison')
  }
  const nothing = async (): Promise<void> => undefined
  return {
    sql: { query: refuse, transaction: refuse },
    run: refuse,
    async raw({ text }) {
      if (!text.includes('server_version_num')) return refuse()
      const fields = [16, 25, 23].map((dataTypeID, index) => ({
        name: `column ${index}`,
        dataTypeID,
        tableID: 0,
        columnID: 0,
        dataTypeSize: -1,
        dataTypeModifier: -1,
        format: 'text',
      }))
      const rows = [[true, `PostgreSQL ${serverVersion / 10_000}.0`, serverVersion]]
      return { command: 'SELECT', rowCount: 1, oid: 0, fields, rows }
    },
    reset: nothing,
    onNotice: () => undefined,
    close: nothing,
    [Symbol.asyncDispose]: nothing,
  }
}
