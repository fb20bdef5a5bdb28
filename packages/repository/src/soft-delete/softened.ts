import type { DatabaseLike } from '@org/db-core'
import type { SoftModel } from './models.ts'

type Softened = WeakMap<object, ReadonlyMap<string, SoftModel>>

/** Two copies of this package must know each other's. */
const key: unique symbol = Symbol.for('@org/db-repository/softened')

function softened(): Softened {
  const holder = globalThis as { [key]?: Softened }
  holder[key] ??= new WeakMap()
  return holder[key]
}

/** Notes which models of a client are deleted softly. */
export function noteSoftened(client: object, models: ReadonlyMap<string, SoftModel>): void {
  softened().set(client, models)
}

/** Whether a model of a database is deleted softly. */
export function isSoftened(database: DatabaseLike | undefined, model: string): boolean {
  return database !== undefined && softened().get(database.$client)?.has(model) === true
}
