import {
  classify,
  type DatabaseLike,
  databaseOf,
  kindOfAction,
  type ModelMetadata,
  withoutFastPath,
} from '@org/db-core'
import { RepositoryError } from './errors.ts'

/** The Prisma actions that a repository's own methods use. */
const actions = [
  'findUnique',
  'findUniqueOrThrow',
  'findFirst',
  'findFirstOrThrow',
  'findMany',
  'count',
  'aggregate',
  'groupBy',
  'create',
  'update',
  'delete',
] as const
/** An action of Prisma's model object that a repository forwards to. */
export type Action = (typeof actions)[number]

/** The slice of Prisma's model object that is relied on. */
interface DelegateLike extends Readonly<Record<Action, (args: object) => PromiseLike<unknown>>> {
  readonly $name: string
  /** Prisma's field references; they also tell which scalar fields there are, and their types. */
  readonly fields: Readonly<Record<string, { readonly typeName: string }>>
}

/** One model of one client, with what is known about both. */
export interface Binding {
  readonly delegate: DelegateLike
  /** Prisma's actions, started at once and with classified errors. */
  readonly perform: Readonly<Record<Action, (args: object) => Promise<unknown>>>
  /** `Film` */
  readonly model: string
  readonly modelMetadata: ModelMetadata | undefined
  /** The client itself, for SQL. */
  readonly client: object
  /** The database object that the client belongs to; absent for a plain client. */
  readonly database: DatabaseLike | undefined
  /** Whether a call made now would be part of a transaction. */
  readonly inTransaction: () => boolean
}

/** Finds the model on the client. @throws RepositoryError DB_REPOSITORY_CONFIG when there is none */
export function bind(client: unknown, name: string, fastPath = true): Binding {
  if (!isObject(client)) {
    throw new RepositoryError(
      'DB_REPOSITORY_CONFIG',
      `The repository of ${name} was given ${client === null ? 'null' : typeof client} instead of a client`,
    )
  }
  const database = databaseOf(client)
  // A model whose name a method of the database takes is on its `$client`.
  const own = fastPath ? (database?.$client ?? client) : withoutFastPath(database ?? client)
  const delegate: unknown = Reflect.get(own, name)
  if (!isDelegate(delegate)) {
    throw new RepositoryError('DB_REPOSITORY_CONFIG', `The client has no model ${name}`)
  }
  const model = delegate.$name
  const metadata = database?.metadata
  // Prisma takes `$extends` away from the clients that it hands to the callback of `$transaction`.
  const ofTransaction = !('$extends' in client)
  const inTransaction = database ? () => database.inTransaction : () => ofTransaction
  return {
    delegate,
    perform: performers(delegate, { model, metadata, inTransaction, isDatabase: database !== undefined }),
    model,
    modelMetadata: metadata?.models[model],
    client: own,
    database,
    inTransaction,
  }
}

interface Origin extends Pick<Binding, 'model' | 'inTransaction'> {
  readonly metadata: DatabaseLike['metadata']
  /** A `Database` classifies its errors itself. */
  readonly isDatabase: boolean
}

/** Made once, because looking a method up through Prisma's proxies costs as much as all else that is done here. */
function performers(delegate: DelegateLike, origin: Origin): Binding['perform'] {
  return Object.fromEntries(
    actions.map((action) => [action, performer(delegate, action, origin)]),
  ) as Binding['perform']
}

function performer(
  delegate: DelegateLike,
  action: Action,
  { model, metadata, inTransaction, isDatabase }: Origin,
): (args: object) => Promise<unknown> {
  const method = delegate[action]
  if (isDatabase) return (args) => method.call(delegate, args).then() as Promise<unknown>
  const fail = (error: unknown): never => {
    const hints = { model, action, kind: kindOfAction(action), metadata, inTransaction: inTransaction() }
    throw classify(error, hints) ?? error
  }
  // Prisma's promise waits for its first `then`, and would run in the context of that.
  return (args) => method.call(delegate, args).then(undefined, fail) as Promise<never>
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function isDelegate(value: unknown): value is DelegateLike {
  return (
    isObject(value) &&
    typeof Reflect.get(value, 'findMany') === 'function' &&
    isObject(Reflect.get(value, 'fields'))
  )
}
