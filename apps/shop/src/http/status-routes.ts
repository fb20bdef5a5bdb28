import type { FastifyInstance } from 'fastify'
import type { Shop } from '../shop.ts'

/** `GET /health`, `GET /metrics` */
export function statusRoutes(app: FastifyInstance, { db }: Shop): void {
  app.get('/health', async (_request, reply) => {
    // Its reasons name the database's address, which is not for strangers.
    const { status, latencyMs, pool } = await db.health()
    return reply.code(status === 'down' ? 503 : 200).send({ status, latencyMs, pool })
  })

  app.get('/metrics', () => db.metrics())
}
