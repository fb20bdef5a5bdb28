import type { Interceptor } from '@org/db-core'
import { Access, type AccessOptions } from './access.ts'
import type {
  ClientWith,
  CreateData,
  DefaultKey,
  Delegate,
  FindFirstOptions,
  FindManyOptions,
  Id,
  ModelName,
  PageOptions,
  Selection,
  UniqueKey,
  UpdateData,
  Where,
} from './client-types.ts'
import type { Inner, RepositoryLike } from './inner.ts'
import type { MapperLike } from './mapper.ts'
import { checkMaxPageSize, type Page, readPage } from './page.ts'
import type {
  CreateInput,
  Exact,
  RepositoryArguments,
  Result,
  Unmapped,
  UpdateInput,
} from './repository-types.ts'
import { createView } from './view.ts'
import { checkWindow } from './window.ts'

/**
 * The everyday operations on one model, typed from the client alone; extend it with queries of your own:
 *
 * ```ts
 * class FilmRepository extends BaseRepository<typeof db, 'film'> {
 *   constructor() { super(db, 'film') }
 *   byTitle(title: string) { return this.model.findFirst({ where: { title } }) }
 * }
 * ```
 *
 * Each method starts when it is called, in the caller's context, and joins the ambient transaction of a `Database`.
 * Failures of the database arrive as core's `DatabaseError`, bad arguments as `RepositoryError`.
 * With a mapper, methods return its domain type, and what is read of a row is the mapper's choice alone.
 * Public methods of yours should return promises: only these can pass interceptors.
 */
export class BaseRepository<
  C extends object,
  M extends ModelName<C>,
  Mapping extends MapperLike | undefined = undefined,
  K extends UniqueKey<C, M> = DefaultKey<C, M>,
> implements RepositoryLike<C, M, Mapping, K>
{
  readonly #access: Access
  readonly #maxPageSize: number

  /** @throws RepositoryError DB_REPOSITORY_CONFIG for an unknown model or key */
  constructor(client: C | ClientWith<C, M>, model: M, ...[options]: RepositoryArguments<C, M, Mapping, K>) {
    this.#access = new Access(this, client, model, (options ?? {}) as AccessOptions)
    this.#maxPageSize = checkMaxPageSize(this.#access.model, options?.maxPageSize)
  }

  /** For the package's other entries. */
  get '~inner'(): Inner<C, M, Mapping, K> {
    return {
      access: this.#access,
      maxPageSize: this.#maxPageSize,
      call: async (_method, args, body) => body(...args),
      toCreateData: (input) => this.#toCreateData(input),
      toUpdateData: (id, input) => this.#toUpdateData(id, input),
    }
  }

  /** Prisma's own object for the model, for queries that the methods here don't offer. */
  protected get model(): Delegate<C, M> {
    return this.#access.binding.delegate as Delegate<C, M>
  }

  /** The row with this id, or `null`. Lookups of one tick outside a transaction become one statement. */
  findById<A extends Unmapped<Mapping, Selection<C, M>>>(
    id: Id<C, M, K>,
    options?: Exact<A, Unmapped<Mapping, Selection<C, M>>>,
  ): Promise<Result<C, M, Mapping, A> | null> {
    // The hot path: each call between here and Prisma costs, since Prisma takes a stack trace outside production.
    const access = this.#access
    try {
      return access.mapped(access.binding.perform.findUnique(access.args(options, access.key.argsFor(id))))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** The row with this id. @throws DatabaseError DB_NOT_FOUND */
  findByIdOrThrow<A extends Unmapped<Mapping, Selection<C, M>>>(
    id: Id<C, M, K>,
    options?: Exact<A, Unmapped<Mapping, Selection<C, M>>>,
  ): Promise<Result<C, M, Mapping, A>> {
    const access = this.#access
    try {
      return access.mapped(
        access.binding.perform.findUniqueOrThrow(access.args(options, access.key.argsFor(id))),
      )
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** The first row that the filter lets pass, in the given order, or `null`. */
  async findFirst<A extends Unmapped<Mapping, FindFirstOptions<C, M>>>(
    options?: Exact<A, Unmapped<Mapping, FindFirstOptions<C, M>>>,
  ): Promise<Result<C, M, Mapping, A> | null> {
    const access = this.#access
    checkWindow(`${access.model}.findFirst`, options)
    return access.one(await access.perform('findFirst', access.args(options)))
  }

  /** The first row that the filter lets pass, in the given order. @throws DatabaseError DB_NOT_FOUND */
  async findFirstOrThrow<A extends Unmapped<Mapping, FindFirstOptions<C, M>>>(
    options?: Exact<A, Unmapped<Mapping, FindFirstOptions<C, M>>>,
  ): Promise<Result<C, M, Mapping, A>> {
    const access = this.#access
    checkWindow(`${access.model}.findFirstOrThrow`, options)
    return access.one(await access.perform('findFirstOrThrow', access.args(options)))
  }

  /** The rows that the filter lets pass; all without one. As in Prisma, `undefined` in a filter is no filter. */
  async findMany<A extends Unmapped<Mapping, FindManyOptions<C, M>>>(
    options?: Exact<A, Unmapped<Mapping, FindManyOptions<C, M>>>,
  ): Promise<Result<C, M, Mapping, A>[]> {
    const access = this.#access
    checkWindow(`${access.model}.findMany`, options)
    return access.many(await access.perform('findMany', access.args(options)))
  }

  /** Whether any row passes the filter. */
  async exists(where: Where<C, M>): Promise<boolean> {
    return this.#access.exists(where)
  }

  /** How many rows pass the filter; all without one. */
  async count(where?: Where<C, M>): Promise<number> {
    return this.#access.count(where)
  }

  /**
   * One page of the rows that the filter lets pass, with the total. The key's fields are added to the order, so that
   * each row is on one page only. Outside a transaction the rows and their number are asked for at once.
   */
  async page<A extends Unmapped<Mapping, PageOptions<C, M>>>(
    options?: Exact<A, Unmapped<Mapping, PageOptions<C, M>>>,
  ): Promise<Page<Result<C, M, Mapping, A>>> {
    return readPage(this.#access, options, this.#maxPageSize)
  }

  /** Stores a new row and returns it. */
  async create<A extends Unmapped<Mapping, Selection<C, M>>>(
    data: CreateInput<C, M, Mapping>,
    options?: Exact<A, Unmapped<Mapping, Selection<C, M>>>,
  ): Promise<Result<C, M, Mapping, A>> {
    const access = this.#access
    const row = await this.#toCreateData(data)
    return access.one(await access.perform('create', access.args(options, { data: row })))
  }

  /** Changes the row with this id and returns it. @throws DatabaseError DB_NOT_FOUND */
  async update<A extends Unmapped<Mapping, Selection<C, M>>>(
    id: Id<C, M, K>,
    data: UpdateInput<C, M, Mapping>,
    options?: Exact<A, Unmapped<Mapping, Selection<C, M>>>,
  ): Promise<Result<C, M, Mapping, A>> {
    const access = this.#access
    const args = access.key.argsFor(id)
    const row = await this.#toUpdateData(id, data)
    return access.one(await access.perform('update', access.args(options, { ...args, data: row })))
  }

  /** Deletes the row with this id and returns it as it was. @throws DatabaseError DB_NOT_FOUND */
  async delete<A extends Unmapped<Mapping, Selection<C, M>>>(
    id: Id<C, M, K>,
    options?: Exact<A, Unmapped<Mapping, Selection<C, M>>>,
  ): Promise<Result<C, M, Mapping, A>> {
    const access = this.#access
    return access.one(await access.perform('delete', access.args(options, access.key.argsFor(id))))
  }

  /**
   * This repository on another client, such as the one that Prisma hands to the callback of `$transaction`.
   * Not needed with a `Database`, whose transactions are joined by themselves.
   */
  using(client: C | ClientWith<C, M>): this {
    return createView(this, this.#access, { interceptors: [], binding: this.#access.bindTo(client) })
  }

  /**
   * This repository with interceptors around each call of a public method, the own ones of a subclass included.
   * `.with(a).with(b)` is `.with(a, b)`: the stages decide the order. The operation's `args` is the list of the
   * method's arguments. Async generators are not intercepted.
   */
  with(...interceptors: readonly Interceptor[]): this {
    return createView(this, this.#access, { interceptors, binding: undefined })
  }

  /** Override to validate or complete what is to be created: return the data to store, or throw. */
  protected beforeCreate(data: CreateData<C, M>): CreateData<C, M> | Promise<CreateData<C, M>> {
    return data
  }

  /**
   * Override to validate or complete a change: return the data to store, or throw. There is no id where all rows of a
   * filter get the same values (`setMany` of `/bulk`).
   */
  protected beforeUpdate(
    _id: Id<C, M, K> | undefined,
    data: UpdateData<C, M>,
  ): UpdateData<C, M> | Promise<UpdateData<C, M>> {
    return data
  }

  #toCreateData(input: unknown): object | Promise<object> {
    const isPlain = this.beforeCreate === BaseRepository.prototype.beforeCreate
    return isPlain ? this.#access.toData('toCreate', input) : this.#created(input)
  }

  async #created(input: unknown): Promise<object> {
    const data = this.#access.toData('toCreate', input)
    return this.#access.written('beforeCreate', await this.beforeCreate(data))
  }

  #toUpdateData(id: unknown, input: unknown): object | Promise<object> {
    const isPlain = this.beforeUpdate === BaseRepository.prototype.beforeUpdate
    return isPlain ? this.#access.toData('toUpdate', input) : this.#updated(id, input)
  }

  async #updated(id: unknown, input: unknown): Promise<object> {
    const data = this.#access.toData('toUpdate', input)
    return this.#access.written('beforeUpdate', await this.beforeUpdate(id as Id<C, M, K> | undefined, data))
  }
}
