import type { RepositoryLike } from './inner.ts'

// A class may hold an extra, `readonly pages = keyset(this)`, which belongs to the repository itself. A view of the
// repository must have its own, or the held one would go past the view's interceptors and client.

/** Two copies of this package must know each other's. */
const origin: unique symbol = Symbol.for('@org/db-repository/extra')

interface Origin {
  readonly repository: object
  readonly again: (view: never) => object
}

/** Methods that were made for a repository, with the way to make them for a view of it. */
export function extraOf<R extends RepositoryLike<unknown, unknown, unknown, unknown>, E extends object>(
  repository: R,
  methods: E,
  again: (view: R) => E,
): E {
  return Object.defineProperty(methods, origin, { value: { repository, again } satisfies Origin })
}

/** The same methods for a view, if `value` is an extra of the repository behind it. */
export function extraFor(view: object, repository: object, value: object): object | undefined {
  const found = Reflect.get(value, origin) as Origin | undefined
  return found?.repository === repository ? found.again(view as never) : undefined
}
