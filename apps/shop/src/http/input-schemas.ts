import { z } from 'zod'

/** The largest value of PostgreSQL's `integer`. */
const maxInt = 2_147_483_647

/** Text that PostgreSQL can store and a reader can see. */
const text = z
  .string()
  .refine((value) => !/\p{Cc}/u.test(value), 'Control characters are not allowed')
  .refine((value) => !/\p{Cs}/u.test(value), 'Not valid Unicode')
  .trim()
  .min(1)

/** A whole number of a URL; `1e3`, `0x10` and blanks are not taken. */
const numberInUrl = (maximum: number) =>
  z
    .string()
    .regex(/^\d{1,10}$/u, 'Expected a whole number')
    .transform(Number)
    .pipe(z.int().min(1).max(maximum))

/** `GET /films` */
export const browseQuery = z.strictObject({
  genre: text.max(100).optional(),
  title: text.max(100).optional(),
  page: numberInUrl(1_000_000).default(1),
  pageSize: numberInUrl(100).default(20),
})

/** `GET /films/:id` */
export const filmParams = z.object({ id: numberInUrl(maxInt) })

/** `GET /orders/:id` */
export const orderParams = z.object({ id: z.guid('Expected the id of an order') })

const orderItem = z.strictObject({
  filmId: z.int().min(1).max(maxInt),
  quantity: z.int().min(1).max(100),
})

/** `POST /orders` */
export const orderBody = z.strictObject({
  customer: text.max(100),
  items: z
    .array(orderItem)
    .min(1)
    .max(20)
    .superRefine(nameRepeatedFilms, { when: ({ value }) => Array.isArray(value) }),
})

/** `POST /payments/settled` */
export const settledBody = z.strictObject({
  id: text.max(200),
  key: text.max(200),
  cents: z.int().min(0).max(maxInt),
})

/** Runs even when other fields are wrong, so that one answer names all mistakes. */
function nameRepeatedFilms(items: readonly unknown[], context: z.core.$RefinementCtx): void {
  const first = new Map<unknown, number>()
  for (const [index, item] of items.entries()) {
    const filmId = (item as { readonly filmId?: unknown } | null)?.filmId
    if (typeof filmId !== 'number') continue
    const earlier = first.get(filmId)
    if (earlier === undefined) first.set(filmId, index)
    else {
      context.addIssue({
        code: 'custom',
        path: [index, 'filmId'],
        message: `Same film as items[${earlier}]`,
      })
    }
  }
}
