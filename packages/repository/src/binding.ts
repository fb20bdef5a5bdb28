import type { ModelMetadata, SchemaMetadata } from '@org/db-core'
import { RepositoryError } from './errors.ts'

/** The slice of Prisma's model object that is relied on. */
export interface DelegateLike {
  readonly $name: string
  /** Prisma's field references; they also tell which scalar fields there are. */
  readonly fields: Readonly<Record<string, FieldReference>>
  findUnique(args: object): PromiseLike<unknown>
  findUniqueOrThrow(args: object): PromiseLike<unknown>
  findFirst(args: object): PromiseLike<unknown>
  findMany(args: object): PromiseLike<unknown>
  count(args: object): PromiseLike<unknown>
  create(args: object): PromiseLike<unknown>
  update(args: object): PromiseLike<unknown>
  delete(args: object): PromiseLike<unknown>
}

/** The Prisma actions that a repository's own methods use. */
export type Action = Exclude<keyof DelegateLike, '$name' | 'fields'>

interface FieldReference {
  readonly typeName: string
}

/** One model of one client, with what is known about both. */
export interface Binding {
  readonly delegate: DelegateLike
  /** `Film` */
  readonly model: string
  readonly metadata: SchemaMetadata | undefined
  readonly modelMetadata: ModelMetadata | undefined
  /** Whether a call made now would be part of a transaction. */
  readonly inTransaction: () => boolean
}

/** What a `Database` of `@org/db-core` has beside the client's own. */
interface DatabaseLike {
  readonly $client: object
  readonly inTransaction: boolean
  readonly metadata: SchemaMetadata | undefined
}

/** Finds the model on the client. @throws RepositoryError DB_REPOSITORY_CONFIG when there is none */
export function bind(client: unknown, name: string): Binding {
  if (!isObject(client)) {
    throw new RepositoryError(
      'DB_REPOSITORY_CONFIG',
      `The repository of ${name} was given ${client === null ? 'null' : typeof client} instead of a client`,
    )
  }
  const database = isDatabase(client) ? client : undefined
  const delegate: unknown = Reflect.get(database?.$client ?? client, name)
  if (!isDelegate(delegate)) {
    throw new RepositoryError('DB_REPOSITORY_CONFIG', `The client has no model ${name}`)
  }
  const model = delegate.$name
  const metadata = database?.metadata
  // Prisma takes `$extends` away from the clients that it hands to the callback of `$transaction`.
  const ofTransaction = !('$extends' in client)
  return {
    delegate,
    model,
    metadata,
    modelMetadata: metadata?.models[model],
    inTransaction: database ? () => database.inTransaction : () => ofTransaction,
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function isDatabase(client: object): client is DatabaseLike {
  return isObject(Reflect.get(client, '$client')) && typeof Reflect.get(client, 'inTransaction') === 'boolean'
}

function isDelegate(value: unknown): value is DelegateLike {
  return (
    isObject(value) &&
    typeof Reflect.get(value, 'findMany') === 'function' &&
    isObject(Reflect.get(value, 'fields'))
  )
}
