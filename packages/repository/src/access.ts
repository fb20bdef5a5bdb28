import { type Action, type Binding, bind } from './binding.ts'
import { RepositoryError } from './errors.ts'
import { findKey, type Key, type KeySpec } from './key.ts'
import type { MapperLike } from './mapper.ts'
import { boundTo } from './scope.ts'

/** What an access is made from; the constructor's options of a repository without their types. */
export interface AccessOptions {
  readonly id?: KeySpec
  readonly mapper?: MapperLike | undefined
  readonly fastPath?: boolean | undefined
}

/** One repository's way to its rows: the model on the client of the moment, the key, the mapper. */
export class Access {
  readonly key: Key
  readonly #repository: object
  readonly #name: string
  readonly #own: Binding
  readonly #mapper: MapperLike | undefined
  readonly #fastPath: boolean
  #isRebound = false

  constructor(repository: object, client: unknown, name: string, options: AccessOptions) {
    const { id, mapper, fastPath = true } = options
    this.#repository = repository
    this.#name = name
    this.#fastPath = fastPath
    this.#own = bind(client, name, fastPath)
    this.#mapper = mapper
    this.key = findKey(this.#own, id)
  }

  /** The model on the repository's own client, or on the one that it is used with just now. */
  get binding(): Binding {
    return (this.#isRebound && boundTo(this.#repository)) || this.#own
  }

  /** `Film` */
  get model(): string {
    return this.#own.model
  }

  /** Finds the model on another client. */
  bindTo(client: unknown): Binding {
    this.#isRebound = true
    return bind(client, this.#name, this.#fastPath)
  }

  /** What Prisma answers, started at once. */
  perform(action: Action, args: object): Promise<unknown> {
    return this.binding.perform[action](args)
  }

  /** The row as the repository returns it; without a mapper, no promise is put around Prisma's. */
  mapped(row: Promise<unknown>): Promise<never> {
    return this.#mapper === undefined ? (row as Promise<never>) : row.then((found) => this.one(found))
  }

  async count(where: unknown): Promise<number> {
    return (await this.perform('count', where === undefined ? {} : { where })) as number
  }

  async exists(where: unknown): Promise<boolean> {
    // Without this check it would mean "is there any row at all".
    if (where === undefined) {
      throw new RepositoryError('DB_REPOSITORY_ARGUMENT', `${this.model}.exists was given no filter`)
    }
    const [field = this.key.name] = this.key.fields
    return (await this.perform('findFirst', { where, select: { [field]: true } })) !== null
  }

  /** Prisma's arguments: the caller's options, what the method adds, and what the mapper reads of a row. */
  args(options: object | undefined, own?: object): object {
    if (this.#mapper === undefined) return options === undefined ? (own ?? {}) : { ...options, ...own }
    const selected = ['select', 'include', 'omit'].find(
      (key) => Reflect.get(options ?? {}, key) !== undefined,
    )
    if (selected !== undefined) {
      throw new RepositoryError(
        'DB_REPOSITORY_ARGUMENT',
        `${this.model}: ${selected} can't be given, the mapper decides what is read of a row`,
      )
    }
    return { ...options, ...own, ...this.#mapper.load }
  }

  // The repository's signatures settle the types of rows and data; in here both are opaque.

  one(row: unknown): never {
    return (this.#mapper === undefined || row === null ? row : this.#mapper.toDomain(row as never)) as never
  }

  many(rows: unknown): never {
    return (this.#mapper === undefined ? rows : (rows as unknown[]).map((row) => this.one(row))) as never
  }

  /** The mapper's `toCreate` or `toUpdate` of what a method was given; that itself without one. */
  toData(direction: 'toCreate' | 'toUpdate', input: unknown): never {
    const mapper = this.#mapper
    return mapper?.[direction] === undefined
      ? (input as never)
      : this.written(direction, mapper[direction](input as never))
  }

  /** What a hook or a mapper returned, if it is data. */
  written(by: string, data: unknown): never {
    if (typeof data === 'object' && data !== null) return data as never
    throw new RepositoryError(
      'DB_REPOSITORY_HOOK',
      `${by} of ${this.#repository.constructor.name} returned no data to store`,
    )
  }
}
