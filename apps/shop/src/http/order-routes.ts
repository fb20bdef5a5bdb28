import type { FastifyInstance } from 'fastify'
import type { OrderDesk } from '../order-desk.ts'
import { paymentSettled } from '../payments/payments.ts'
import type { Shop } from '../shop.ts'
import { ShopError } from '../shop-error.ts'
import { orderBody, orderParams, settledBody } from './input-schemas.ts'
import { parseInput } from './parse-input.ts'

/** `POST /orders`, `GET /orders/:id`, and `POST /payments/settled` for the payment provider */
export function orderRoutes(app: FastifyInstance, shop: Shop, desk: OrderDesk): void {
  app.post('/orders', async ({ body }, reply) => {
    const order = await desk.order(parseInput(orderBody, body))
    return reply
      .code(order.status === 'pending' ? 202 : 201)
      .header('location', `/orders/${order.id}`)
      .send(order)
  })

  app.get('/orders/:id', async ({ params }) => {
    const { id } = parseInput(orderParams, params)
    const order = await shop.orders.findById(id)
    if (!order) throw new ShopError('ORDER_NOT_FOUND', 'No such order', { orderId: id })
    return order
  })

  app.post('/payments/settled', async ({ body }, reply) => {
    const settled = parseInput(settledBody, body)
    if (shop.outbox) await paymentSettled(shop.outbox, settled)
    return reply.code(204).send()
  })
}
