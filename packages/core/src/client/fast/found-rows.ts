import { columnAt, columnText } from './data-row.ts'
import type { Ticket } from './lookups.ts'
import type { Merge } from './plan.ts'

/** The rows of several lookups that became one statement, each at the place of the lookup that asked for it. */
export class FoundRows {
  readonly rows: (object | null)[]
  readonly #tickets: readonly Ticket[]
  readonly #merge: Merge
  /** The last place that asks for a key. */
  readonly #places = new Map<number | string | null, number>()
  /** By place, the one before that asks for the same key; each is given a row of its own. */
  readonly #before: (number | undefined)[] = []

  constructor(tickets: readonly Ticket[], merge: Merge) {
    this.#tickets = tickets
    this.#merge = merge
    this.rows = tickets.map(() => null)
  }

  /** Takes note of who asks for what, which must be done before the first row comes. */
  expect(): void {
    const { match, key } = this.#merge
    if (match === 'position') return
    const [index = 0] = key
    const places = this.#places
    for (let place = 0; place < this.#tickets.length; place++) {
      const text = this.#tickets[place]?.values[index] as string
      const value = match === 'text' ? text : Number(text)
      const before = places.get(value)
      if (before !== undefined) this.#before[place] = before
      places.set(value, place)
    }
  }

  take(bytes: Buffer, start: number): void {
    const { prepared, match } = this.#merge
    let row: Record<string, unknown> | undefined = prepared.decode(bytes, start)
    let place: number | undefined
    if (typeof match === 'object') place = this.#places.get(row[match.field] as number)
    else {
      const key = columnText(bytes, columnAt(bytes, start, prepared.width))
      place = match === 'text' ? this.#places.get(key) : Number(key) - 1
    }
    while (place !== undefined) {
      this.rows[place] = row ?? prepared.decode(bytes, start)
      row = undefined
      place = this.#before[place]
    }
  }
}
