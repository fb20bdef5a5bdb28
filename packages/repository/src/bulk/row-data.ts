/** All of them, waited for only where one is a promise: a thousand promises for nothing are felt. */
export async function settled<T>(values: readonly (T | Promise<T>)[]): Promise<readonly T[]> {
  return values.some((value) => value instanceof Promise) ? Promise.all(values) : (values as readonly T[])
}
