import { expect, it } from 'vitest'
import { collector, fedDatabase, until } from './support/fed-database.ts'

it('a feed that has gone back, as after a failover that lost something, goes on for consumers that run', async () => {
  await using fed = await fedDatabase()
  const { db, outbox } = fed
  const { consumer, got } = collector(outbox, { name: 'running' })
  const emit = (key: string) => db.transaction(() => outbox.emit({ topic: 't', key }))
  await consumer.start()
  for (let at = 1; at <= 8; at += 1) await emit(`a${at}`)
  await until(() => got.length === 8)
  await until(async () => (await outbox.status()).consumers[0]?.lagEvents === 0)
  await db.sql.transaction(async (tx) => {
    await tx.query('DELETE FROM orgdb.outbox WHERE seq > 5')
    await tx.query(`SELECT setval('orgdb.outbox_seq', 5)`)
    await tx.query('UPDATE orgdb.outbox_lease SET position = least(position, 5)')
    await tx.query('UPDATE orgdb.outbox_feed SET settled = least(settled, 5)')
  })
  await emit('b6')
  await until(() => got.some(({ key }) => key === 'b6'))
  await emit('b7')
  await until(() => got.some(({ key }) => key === 'b7'))
  expect(got.filter(({ key }) => key === 'b6')).toHaveLength(1)
  // Versions of what is new beat those of what was lost.
  expect((got.at(-1)?.version ?? 0n) > (got[7]?.version ?? 0n)).toBe(true)
  await consumer.close()
})

it('a feed on another timeline of the log opens an epoch, once for all processes', async () => {
  await using fed = await fedDatabase()
  const { db, outbox } = fed
  const epochs = () => db.sql.query('SELECT epoch, timeline FROM orgdb.outbox_feed')
  await outbox.status()
  const [{ timeline } = {}] = await epochs()
  expect(timeline).toMatch(/^[0-9A-F]{8}$/)
  // What a promoted standby, or a restored backup, brings with it.
  await db.sql.query(`UPDATE orgdb.outbox_feed SET timeline = '00000000'`)
  await fed.other().outbox.status()
  await fed.other().outbox.status()
  expect(await epochs()).toEqual([{ epoch: 2, timeline }])
})
