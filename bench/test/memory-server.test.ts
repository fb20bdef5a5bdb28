import pg from 'pg'
import { afterEach, describe, expect, it } from 'vitest'
import { answerFromMemory } from '../src/memory-server.ts'

const { INT4, TEXT } = pg.types.builtins
const nobody = 'postgresql://nobody:nothing@127.0.0.1:1/none'
const result = {
  columns: [
    { name: 'id', typeOid: INT4 },
    { name: 'name', typeOid: TEXT },
  ],
  rows: [
    ['1', 'ä'],
    ['2', 'b'],
  ],
}
let undo: () => void = () => undefined

afterEach(() => undo())

describe('answerFromMemory', () => {
  it('answers plain, unprepared and prepared queries, again and again', async () => {
    undo = answerFromMemory(result)
    const pool = new pg.Pool({ connectionString: nobody, max: 1 })
    const expected = [
      { id: 1, name: 'ä' },
      { id: 2, name: 'b' },
    ]
    for (let round = 0; round < 3; round += 1) {
      expect((await pool.query('SELECT')).rows).toEqual(expected)
      expect((await pool.query('SELECT $1', [1])).rows).toEqual(expected)
      expect((await pool.query({ name: 'named', text: 'SELECT $1', values: [1] })).rows).toEqual(expected)
    }
    await pool.end()
  })

  it('is over once it is undone', async () => {
    answerFromMemory(result)()
    const pool = new pg.Pool({ connectionString: nobody })
    await expect(pool.query('SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await pool.end()
  })
})
