import type { FastifyInstance } from 'fastify'
import { placeOrder } from '../place-order.ts'
import type { Shop } from '../shop.ts'
import { ShopError } from '../shop-error.ts'
import { orderBody, orderParams } from './input-schemas.ts'
import { parseInput } from './parse-input.ts'

/** `POST /orders`, `GET /orders/:id` */
export function orderRoutes(app: FastifyInstance, shop: Shop): void {
  app.post('/orders', async ({ body }, reply) => {
    const order = await placeOrder(shop, parseInput(orderBody, body))
    return reply.code(201).header('location', `/orders/${order.id}`).send(order)
  })

  app.get('/orders/:id', async ({ params }) => {
    const { id } = parseInput(orderParams, params)
    const order = await shop.orders.findById(id)
    if (!order) throw new ShopError('ORDER_NOT_FOUND', 'No such order', { orderId: id })
    return order
  })
}
