import { databaseOf } from './database-of.ts'

/** Where a database object keeps its client without the fast path. */
export const withoutFastPathKey: unique symbol = Symbol.for('@org/db-core/without-fast-path')

/** The client of a database object whose calls all go through Prisma; any other client as it is. */
export function withoutFastPath<Client extends object>(client: Client): Client {
  return (Reflect.get(databaseOf(client) ?? client, withoutFastPathKey) as Client | undefined) ?? client
}
