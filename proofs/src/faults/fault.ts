import { setTimeout as delay } from 'node:timers/promises'
import { killBackends } from '@org/db-testing'
import type { Stage } from './stage.ts'

/** One way in which a connection, a server or the way between them fails. */
export interface Fault {
  readonly name: string
  /** Resolves when everything is well again. */
  inflict(stage: Stage): Promise<void>
}

/** Long enough for the calls in flight to meet the fault. */
const outageMs = 400

/** The faults that meet every phase. */
export const faults: readonly Fault[] = [
  { name: 'backend killed', inflict: async ({ server }) => void (await killBackends(server.url)) },
  { name: 'connection reset', inflict: async ({ proxy }) => proxy.cut() },
  { name: 'connection closed', inflict: async ({ proxy }) => proxy.close() },
  { name: 'server restarted', inflict: ({ server }) => server.restart() },
  {
    name: 'server crashed',
    async inflict({ server }) {
      await server.kill()
      await delay(outageMs)
      await server.start()
    },
  },
  {
    name: 'network stalled',
    async inflict({ proxy }) {
      proxy.stall()
      // Longer than every limit of the stage: the callers must not wait for the network to come back.
      await delay(5_000)
      proxy.resume()
    },
  },
]
