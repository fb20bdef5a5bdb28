import type { OrderRequest } from '../place-order.ts'

/** One order that a customer tried to place, and what the API made of it. */
export interface Attempt {
  /** The customer of the order: no two attempts share it, so each can be found in the database. */
  readonly customer: string
  readonly items: OrderRequest['items']
  /** `unknown`: the API said so, or did not answer at all. */
  readonly outcome: 'placed' | 'refused' | 'unknown'
  /** Of a placed order, and of an unknown one where the API knew it. */
  readonly orderId?: string
  /** Of a placed order. */
  readonly totalCents?: number
}
