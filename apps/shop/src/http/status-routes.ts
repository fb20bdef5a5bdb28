import { isDbError } from '@org/db-core'
import type { FastifyInstance } from 'fastify'
import type { Shop } from '../shop.ts'

/** `GET /health`, `GET /metrics` */
export function statusRoutes(app: FastifyInstance, { db }: Shop): void {
  app.get('/health', async (_request, reply) => {
    try {
      await db.sql.query('SELECT 1', [], { signal: AbortSignal.timeout(2_000) })
      return { status: 'ok' }
    } catch (error) {
      return reply
        .code(503)
        .send({ status: 'unavailable', reason: isDbError(error) ? error.code : 'UNKNOWN' })
    }
  })

  app.get('/metrics', () => db.metrics())
}
