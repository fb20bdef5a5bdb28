import type { Interceptor } from '@org/db-core'
import { BaseRepository } from '@org/db-repository'
import { type Retry, retry, retrying, withRetry } from '@org/db-retry'
import { expectTypeOf } from 'vitest'
import type { TestClient } from './support/shop-database.ts'

declare const db: TestClient

class Users extends BaseRepository<TestClient, 'user'> {
  constructor() {
    super(db, 'user')
  }
  byEmail(email: string) {
    return this.model.findUnique({ where: { email } })
  }
}

// A retry is an interceptor like any other.
expectTypeOf(retry()).toExtend<Interceptor>()

// A wrapped repository keeps its type, its own methods included.
expectTypeOf(withRetry(new Users())).toEqualTypeOf<Users>()
expectTypeOf(withRetry(new Users(), { methods: ['byEmail'], attempts: 3 })).toEqualTypeOf<Users>()

// A wrapped function keeps its arguments and its result.
expectTypeOf(retrying(async (id: number, name?: string) => ({ id, name }))).toEqualTypeOf<
  (id: number, name?: string) => Promise<{ id: number; name: string | undefined }>
>()
expectTypeOf(retry().run(async () => 7)).toEqualTypeOf<Promise<number>>()

declare const policy: Retry
retrying(async () => 1, { by: policy, idempotent: true })
// @ts-expect-error: a budget belongs to the retry that is given
retrying(async () => 1, { by: policy, atempts: 3 })
// @ts-expect-error: no such option
retry({ atempts: 3 })
// @ts-expect-error: only functions that return promises can be repeated
retrying(() => 1)
// @ts-expect-error: no repository
withRetry({ findMany: async () => [] })
