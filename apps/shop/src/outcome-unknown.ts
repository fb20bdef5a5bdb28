import { ShopError } from './shop-error.ts'

/** Whether a failure leaves open whether anything was changed. */
export function isUnknown(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'outcome' in error && error.outcome === 'unknown'
}

/** What the customer is told then. */
export function outcomeUnknown(orderId: string, cause: unknown): ShopError {
  return new ShopError(
    'OUTCOME_UNKNOWN',
    'The connection broke while the order was being placed: look it up before ordering again',
    { orderId },
    { cause },
  )
}
