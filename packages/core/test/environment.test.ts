import { assertEnvironment, markEnvironment, markedEnvironment } from '@org/db-core/environment'
import { describe, expect, it } from 'vitest'
import { freshDatabase, open } from './support/shop-database.ts'

describe('markEnvironment', () => {
  it('stops whoever takes the database for another environment’s', async () => {
    await using database = await freshDatabase()
    await using db = open(database.url)
    const { sql } = db
    expect(await markedEnvironment(sql)).toBeUndefined()
    await assertEnvironment(sql, 'development')
    await markEnvironment(sql, 'production')
    expect(await markedEnvironment(sql)).toBe('production')
    await assertEnvironment(sql, 'production')
    await expect(assertEnvironment(sql, 'development')).rejects.toMatchObject({
      code: 'DB_ENVIRONMENT_MISMATCH',
      marked: 'production',
      retryable: false,
    })
    await markEnvironment(sql, 'staging')
    await sql.transaction(async (tx) => expect(await markedEnvironment(tx)).toBe('staging'))
  })
})
