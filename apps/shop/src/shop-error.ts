/** Why the shop can't do what it is asked. */
export type ShopErrorCode =
  | 'FILM_NOT_FOUND'
  | 'ORDER_NOT_FOUND'
  | 'STOCK_TOO_LOW'
  | 'PAYMENT_DECLINED'
  | 'OUTCOME_UNKNOWN'

/** What the error is about. */
export interface ShopErrorDetails {
  /** The films that are missing or sold out. */
  readonly filmIds?: readonly number[]
  /** The order that may or may not have been placed. */
  readonly orderId?: string
}

/** An answer of the shop other than yes. */
export class ShopError extends Error {
  readonly code: ShopErrorCode
  readonly details: ShopErrorDetails

  constructor(code: ShopErrorCode, message: string, details: ShopErrorDetails = {}, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ShopError'
    this.code = code
    this.details = details
  }
}
