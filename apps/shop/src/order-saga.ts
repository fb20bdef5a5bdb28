import { defineSaga, type SagaDefinition } from '@org/db-saga'
import type { Order } from './order-repository.ts'
import { type Payments, paymentSettled } from './payments/payments.ts'
import { giveBack, type OrderRequest, takeAndStore } from './place-order.ts'
import type { Shop } from './shop.ts'
import { ShopError, type ShopErrorCode } from './shop-error.ts'

/** What becomes of an order: one that is shipped, or the shop's no. */
export type OrderResult =
  | { readonly order: Order }
  | {
      readonly refused: {
        readonly code: ShopErrorCode
        readonly message: string
        readonly filmIds: readonly number[]
      }
    }

/** What the saga works with; the shop is made after it. */
export interface OrderSagaParts {
  readonly shop: () => Shop
  readonly payments: Payments
}

/** How long one attempt to charge or to refund may take. */
const providerTimeoutMs = 500

/**
 * An order from the stock to the parcel: copies are taken and the order is stored, the customer is charged, the order is
 * shipped. What can't be charged is undone: money back, copies back, order cancelled. The saga's id is the order's.
 */
export function orderSaga({ shop, payments }: OrderSagaParts): SagaDefinition<OrderRequest, OrderResult> {
  const retry = { maxAttempts: 8, minDelayMs: 50, maxDelayMs: 900 }
  return defineSaga<OrderRequest, OrderResult>({
    name: 'order',
    async run(saga, request) {
      const reserved = await saga.transaction('reserve', () => reserve(shop(), saga.id, request), {
        compensate: () => giveBack(shop(), saga.id),
      })
      if ('refused' in reserved) return reserved
      const cents = reserved.order.totalCents
      const key = await saga.step('charge', ({ key, signal }) => payments.charge({ key, cents, signal }), {
        retry,
        timeoutMs: providerTimeoutMs,
        verify: ({ key, signal }) => payments.find(key, signal),
        compensate: ({ stepKey, signal }) => payments.refund({ key: stepKey, cents, signal }),
        compensateRetry: { ...retry, maxAttempts: 50 },
        // Paid is paid: from here on the order only goes forward.
        pivot: true,
      })
      await saga.transaction('ship', () => ship(shop(), saga.id, { key, cents }))
      return reserved
    },
  })
}

/** The shop's no is an outcome, not a failure: nothing is tried again, and the customer hears which films are short. */
async function reserve(shop: Shop, id: string, request: OrderRequest): Promise<OrderResult> {
  try {
    // Of its own, so that what was taken before the no is given back.
    return { order: await shop.db.transaction(() => takeAndStore(shop, id, request)) }
  } catch (error) {
    if (!(error instanceof ShopError)) throw error
    const { code, message, details } = error
    return { refused: { code, message, filmIds: details.filmIds ?? [] } }
  }
}

async function ship(
  { outbox }: Shop,
  id: string,
  payment: { readonly key: string; readonly cents: number },
): Promise<void> {
  if (!outbox) return
  await paymentSettled(outbox, { id: `settled:${payment.key}`, ...payment })
  await outbox.emit({ topic: 'order.shipped', key: `order:${id}`, payload: { id } })
}
