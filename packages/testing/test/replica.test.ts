import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type PostgresServer, type ReplicaServer, startPostgres, startReplica } from '../src/index.ts'
import { rows } from './rows.ts'

for (const binaries of ['auto', 'embedded'] as const) {
  describe(`a replica, ${binaries} binaries`, () => {
    let primary: PostgresServer
    let replica: ReplicaServer
    beforeAll(async () => {
      primary = await startPostgres({ binaries })
      await rows(primary.url, 'create table item (n int)')
      replica = await startReplica(primary)
    })
    afterAll(async () => {
      await replica.stop()
      await primary.stop()
    })

    const count = async (server: PostgresServer) =>
      (await rows(server.url, 'select count(*)::int as n from item'))[0]?.n

    it('shows what the primary has, and takes no writes', async () => {
      await rows(primary.url, 'insert into item select generate_series(1, 10)')
      await replica.catchUp()
      expect(await count(replica)).toBe(10)
      await expect(rows(replica.url, 'insert into item values (1)')).rejects.toMatchObject({ code: '25006' })
    })

    it('grows old while replay is paused, and catches up afterwards', async () => {
      await replica.pauseReplay()
      const before = Number(await count(replica))
      await rows(primary.url, 'insert into item values (11)')
      await expect(replica.catchUp({ timeoutMs: 100 })).rejects.toThrow(/did not reach/)
      expect(await count(replica)).toBe(before)
      await replica.resumeReplay()
      await replica.catchUp()
      expect(await count(replica)).toBe(before + 1)
    })

    it('catches up after a crash, of its own and of the primary', async () => {
      await replica.kill()
      await rows(primary.url, 'insert into item values (12)')
      await replica.start()
      await replica.catchUp()
      await primary.kill()
      await primary.start()
      await rows(primary.url, 'insert into item values (13)')
      await replica.catchUp()
      expect(await count(replica)).toBe(await count(primary))
    })

    it('takes writes once it is promoted, and can have a replica itself', async () => {
      const promoted = await startReplica(primary)
      await promoted.promote()
      await rows(promoted.url, 'insert into item values (14)')
      const second = await startReplica(promoted)
      await second.catchUp()
      expect(await count(second)).toBe(await count(promoted))
      await second.stop()
      await promoted.stop()
      const slots = await rows(primary.url, 'select slot_name from pg_replication_slots where not active')
      expect(slots).toEqual([])
    })
  })
}
