/** A row of `bench_item` in plain JavaScript values. */
export interface Item {
  readonly id: number
  readonly name: string
  readonly email: string
  readonly active: boolean
  readonly score: number
  readonly rating: number
  /** Exact, as text: clients differ in the class they make of it. */
  readonly price: string
  readonly created: Date
  readonly meta: ItemMeta
}

/** The jsonb column. */
export interface ItemMeta {
  readonly tags: readonly string[]
  readonly size: { readonly width: number; readonly height: number }
}

/** A row to insert; the database gives it its id. */
export type NewItem = Omit<Item, 'id'>

/** How many rows the table holds for questions that read. */
export const itemCount = 100_000

/** The columns of `bench_item` without the id, in the order of the table. */
export const newItemColumns = [
  'name',
  'email',
  'active',
  'score',
  'rating',
  'price',
  'created',
  'meta',
] as const

/** Fills the table with `itemCount` rows whose values follow from their ids. */
export const fillItems: readonly string[] = [
  `INSERT INTO bench_item (name, email, active, score, rating, price, created, meta)
  SELECT 'Item number ' || n, 'item' || n || '@example.test', n % 3 = 0, n % 1000, n / 7.0, (n % 99999) / 100.0,
         timestamptz '2024-01-01 00:00:00.123Z' + n * interval '1 minute',
         jsonb_build_object('tags', jsonb_build_array('alpha', 'tag' || n % 50),
                            'size', jsonb_build_object('width', n % 300, 'height', n % 700))
  FROM generate_series(1, ${itemCount}) AS n`,
  'VACUUM ANALYZE bench_item',
]

/** The same fresh row for every variant. */
export function newItem(): NewItem {
  return {
    name: 'Inserted item',
    email: 'inserted@example.test',
    active: true,
    score: 42,
    rating: 1.5,
    price: '12.50',
    created: new Date(1_704_067_200_123),
    meta: { tags: ['alpha', 'tag7'], size: { width: 12, height: 34 } },
  }
}

/** Random ids of the filled table, the same sequence for every variant. */
export function randomIds(): () => number {
  let state = 0x2545f491
  return () => {
    // xorshift32: the draw must cost nothing beside the query.
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return ((state >>> 0) % itemCount) + 1
  }
}

/** The row as text that is the same for every client: dates in ISO form, the price with two digits. */
export function canonicalItem(row: unknown): string {
  const fields = Object.entries(row ?? {}).map(([name, value]) => [name, canonicalValue(name, value)])
  return JSON.stringify(Object.fromEntries(fields.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1))))
}

function canonicalValue(name: string, value: unknown): unknown {
  if (name === 'price') return Number(value).toFixed(2)
  if (name === 'meta') return sortedKeys(value)
  return value
}

function sortedKeys(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([key, inner]) => [key, sortedKeys(inner)]))
}
