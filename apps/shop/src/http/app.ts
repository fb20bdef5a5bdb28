import { isDbError } from '@org/db-core'
import { type FastifyInstance, type FastifyServerOptions, fastify } from 'fastify'
import type { OrderDesk } from '../order-desk.ts'
import type { Shop } from '../shop.ts'
import { toErrorAnswer } from './error-answer.ts'
import { filmRoutes } from './film-routes.ts'
import { orderRoutes } from './order-routes.ts'
import { statusRoutes } from './status-routes.ts'

/** Makes the HTTP API of the shop; `logger` is fastify's, default none. */
export function createApp(
  shop: Shop,
  desk: OrderDesk,
  options: Pick<FastifyServerOptions, 'logger'> = {},
): FastifyInstance {
  const app = fastify({
    logger: options.logger ?? false,
    bodyLimit: 16_384,
    // For the whole of a request to arrive.
    requestTimeout: 10_000,
    // A request that was on its way when the shutdown began is answered, too.
    return503OnClosing: false,
  })
  // Fastify takes text too; without its parser any body but JSON is 415.
  app.removeContentTypeParser('text/plain')
  closeConnectionsAtShutdown(app)
  app.setNotFoundHandler((_request, reply) =>
    reply.code(404).send({ error: { code: 'ROUTE_NOT_FOUND', message: 'No such address' } }),
  )
  app.setErrorHandler((error, request, reply) => {
    const { status, body, retryAfterSeconds } = toErrorAnswer(error)
    // The log gets the error without its cause, which may hold what the customer wrote.
    if (status >= 500) request.log.error({ error: isDbError(error) ? error.toJSON() : String(error) })
    if (retryAfterSeconds !== undefined) reply.header('retry-after', retryAfterSeconds)
    return reply.code(status).send(body)
  })
  filmRoutes(app, shop)
  orderRoutes(app, shop, desk)
  statusRoutes(app, shop)
  return app
}

/** Clients keep connections open for their next request, which would hold up a shutdown for more than a minute. */
function closeConnectionsAtShutdown(app: FastifyInstance): void {
  let closing = false
  app.addHook('preClose', async () => {
    closing = true
  })
  app.addHook('onSend', async (_request, reply, payload) => {
    if (closing) reply.header('connection', 'close')
    return payload
  })
}
