// The shop's orders, for proofs that run them in processes of their own.
export { openDatabase } from './db.ts'
export { type OrderDesk, openOrderDesk } from './order-desk.ts'
export { paymentSettled } from './payments/payments.ts'
export { manyTroubles, type PaymentProvider, startPaymentProvider } from './payments/provider.ts'
export { createShop, type Shop } from './shop.ts'
