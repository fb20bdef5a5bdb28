import { currentContext, DatabaseError, restoreContext, runInContext } from '@org/db-core'
import { describe, expect, it } from 'vitest'
import { type Consistency, createConsistency } from '../src/client/replicas/consistency.ts'
import { fromToken, parseLsn, toToken } from '../src/client/replicas/lsn.ts'

/** A primary whose position grows with each question, and that answers when it is told to. */
function primary(): { position: () => Promise<bigint>; answer: () => Promise<void>; asked: () => number } {
  let lsn = 0n
  let asked = 0
  const waiting: (() => void)[] = []
  return {
    position: () => {
      asked += 1
      lsn += 100n
      const now = lsn
      return new Promise((resolve) => waiting.push(() => resolve(now)))
    },
    async answer() {
      for (const each of waiting.splice(0)) each()
      await new Promise((resolve) => setImmediate(resolve))
    },
    asked: () => asked,
  }
}

const write = (of: Consistency, error?: unknown): void => of.begin()(error)
const need = (of: Consistency): unknown => of.required(currentContext())

describe('what a read has to see', () => {
  it('is nothing special where nothing was written', () => {
    const consistency = createConsistency({ position: primary().position, settleMs: 1_000 })
    expect(runInContext({}, () => need(consistency))).toBeUndefined()
  })

  it('is the primary while a write runs, and until the position is known', async () => {
    const { position, answer, asked } = primary()
    const consistency = createConsistency({ position, settleMs: 1_000 })
    await runInContext({}, async () => {
      const end = consistency.begin()
      expect(need(consistency)).toBe('primary')
      expect(asked()).toBe(0)
      end()
      expect(need(consistency)).toBe('primary')
      await answer()
      expect(need(consistency)).toBe(100n)
      expect(asked()).toBe(1)
    })
    expect(need(consistency)).toBeUndefined()
  })

  it('is not satisfied by a position that was asked for before the write ended', async () => {
    const { position, answer } = primary()
    const consistency = createConsistency({ position, settleMs: 1_000 })
    await runInContext({}, async () => {
      write(consistency)
      need(consistency)
      write(consistency)
      await answer()
      expect(need(consistency)).toBe('primary')
      await answer()
      expect(need(consistency)).toBe(200n)
    })
  })

  it('is the primary as long as a write with an unknown outcome may still happen', async () => {
    const { position, answer, asked } = primary()
    const consistency = createConsistency({ position, settleMs: 50 })
    await runInContext({}, async () => {
      write(consistency, new DatabaseError('DB_AMBIGUOUS_COMMIT', 'lost', { outcome: 'unknown' }))
      expect(need(consistency)).toBe('primary')
      expect(asked()).toBe(0)
      const token = consistency.token()
      await answer()
      expect(fromToken((await token) as string)).toBe(100n)
      expect(need(consistency)).toBe('primary')
      await new Promise((resolve) => setTimeout(resolve, 60))
      need(consistency)
      await answer()
      expect(need(consistency)).toBe(200n)
    })
  })

  it('forgets what was never sent', () => {
    const consistency = createConsistency({ position: primary().position, settleMs: 50 })
    runInContext({}, () => {
      write(consistency, new DatabaseError('DB_VALIDATION', 'wrong', { outcome: 'not-sent' }))
      expect(need(consistency)).toBeUndefined()
    })
  })

  it('is shared by nested contexts, also derived by hand, and by nobody else', () => {
    const consistency = createConsistency({ position: primary().position, settleMs: 50 })
    runInContext({ tenant: 'a' }, () => {
      runInContext({ actor: 'inner' }, () => write(consistency))
      expect(need(consistency)).toBe('primary')
      restoreContext({ ...currentContext(), actor: 'derived' }, () =>
        expect(need(consistency)).toBe('primary'),
      )
    })
    expect(runInContext({ tenant: 'a' }, () => need(consistency))).toBeUndefined()
  })

  it('counts for everybody when it was written outside of all contexts', () => {
    const consistency = createConsistency({ position: primary().position, settleMs: 50 })
    write(consistency)
    expect(runInContext({}, () => need(consistency))).toBe('primary')
  })

  it('stays the primary while that can not be asked', async () => {
    const consistency = createConsistency({ position: () => Promise.reject(new Error('gone')), settleMs: 50 })
    await runInContext({}, async () => {
      write(consistency)
      for (let index = 0; index < 3; index++) {
        expect(need(consistency)).toBe('primary')
        await new Promise((resolve) => setImmediate(resolve))
      }
    })
  })
})

describe('a token', () => {
  it('stands for a position, and the higher one counts', () => {
    const lsn = parseLsn('16/B374D848')
    expect(toToken(lsn)).toBe('1.16-B374D848')
    expect(fromToken('1.16-b374d848')).toBe(lsn)
    const consistency = createConsistency({ position: primary().position, settleMs: 50 })
    runInContext({}, () => {
      consistency.see('1.0-10')
      consistency.see('1.0-8')
      expect(need(consistency)).toBe(16n)
    })
  })

  it.each(['', '1.', '2.16-B374D848', '1.16/B374D848', '1.123456789-1', '1.1-1 '])(
    'is refused as %j',
    (text) => {
      expect(() => fromToken(text)).toThrow(expect.objectContaining({ code: 'DB_VALIDATION' }))
    },
  )
})
