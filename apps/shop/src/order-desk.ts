import { randomUUID } from 'node:crypto'
import { createSagas, type SagaDefinition, type Sagas, type Worker, type WorkerOptions } from '@org/db-saga'
import type { Order } from './order-repository.ts'
import { type OrderResult, orderSaga } from './order-saga.ts'
import { isUnknown, outcomeUnknown } from './outcome-unknown.ts'
import { openPayments } from './payments/payments.ts'
import type { OrderRequest } from './place-order.ts'
import type { Shop } from './shop.ts'
import { ShopError } from './shop-error.ts'

/** Takes orders and sees them through. */
export interface OrderDesk {
  /** For the database object. */
  readonly sagas: Sagas
  readonly saga: SagaDefinition<OrderRequest, OrderResult>
  readonly worker: Worker
  /**
   * Begins an order, and waits a while for what becomes of it: the order, or its id where it takes longer.
   * @throws ShopError FILM_NOT_FOUND, STOCK_TOO_LOW, PAYMENT_DECLINED, OUTCOME_UNKNOWN
   */
  order(request: OrderRequest): Promise<Order | { readonly id: string; readonly status: 'pending' }>
  close(): Promise<void>
}

export interface OrderDeskOptions {
  /** Of the payment provider. */
  readonly paymentsUrl: () => string
  readonly shop: () => Shop
  /** Where the provider is to tell of charges; none where nobody listens. */
  readonly callback?: () => string | undefined
  readonly worker?: WorkerOptions
}

/** How long a customer waits for an answer; the order goes on without them. */
const patienceMs = 3_000

/** Opens the desk; hand `sagas` to the database, then start `worker`. */
export function openOrderDesk({ paymentsUrl, shop, callback, worker = {} }: OrderDeskOptions): OrderDesk {
  const payments = openPayments(paymentsUrl, callback)
  const saga = orderSaga({ shop, payments })
  const sagas = createSagas({ definitions: [saga] })
  return {
    sagas,
    saga,
    worker: sagas.worker(worker),
    async order(request) {
      // Chosen here, so that an order whose start was not answered can be looked up.
      const id = randomUUID()
      const handle = await sagas.start(saga, request, { id }).catch((error: unknown) => {
        throw isUnknown(error) ? outcomeUnknown(id, error) : error
      })
      const { state, output } = await handle
        .outcome({ timeoutMs: patienceMs })
        // It has begun; only what became of it can't be asked now.
        .catch(() => ({ state: 'running' as const, output: undefined }))
      if (output && 'order' in output) return output.order
      if (output)
        throw new ShopError(output.refused.code, output.refused.message, { filmIds: output.refused.filmIds })
      if (state === 'compensated' || state === 'compensating') {
        throw new ShopError('PAYMENT_DECLINED', 'The payment was declined', { orderId: id })
      }
      return { id, status: 'pending' }
    },
    close: () => payments.close(),
  }
}
