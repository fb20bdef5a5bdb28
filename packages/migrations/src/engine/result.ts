/** What the engine gets from every call: a value, or an error in Prisma's terms. */
export type Bound<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: Readonly<Record<string, unknown>> }

/** Keeps errors that are none of the database's, so that they reach the caller through the engine. */
export interface ErrorRegistry {
  add(error: unknown): number
  consumeError(id: number): { readonly error: unknown } | undefined
}

export function errorRegistry(): ErrorRegistry {
  const errors = new Map<number, unknown>()
  return {
    add(error) {
      errors.set(errors.size, error)
      return errors.size - 1
    },
    consumeError(id) {
      return errors.has(id) ? { error: errors.get(id) } : undefined
    },
  }
}

/** A call that answers with a `Bound` instead of throwing. */
export function bind<A extends readonly unknown[], T>(
  registry: ErrorRegistry,
  fn: (...args: A) => Promise<T>,
): (...args: A) => Promise<Bound<T>> {
  return async (...args) => {
    try {
      return { ok: true, value: await fn(...args) }
    } catch (error) {
      return { ok: false, error: toPrismaError(registry, error) }
    }
  }
}

function toPrismaError(registry: ErrorRegistry, error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error && 'severity' in error && 'code' in error)) {
    return { kind: 'GenericJs', id: registry.add(error) }
  }
  const { code, severity, message, detail, column, hint } = error as Error & Record<string, unknown>
  return {
    kind: 'postgres',
    code,
    severity,
    message,
    detail,
    column,
    hint,
    originalCode: code,
    originalMessage: message,
  }
}
