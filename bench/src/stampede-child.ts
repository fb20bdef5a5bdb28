import { type CachePeer, openCaches, untilKept } from '../peers/caches.ts'
import type { StampedeAnswer, StampedeOrder } from './stampede.ts'

// One of the processes that all miss at once. It ends with its parent.
const peers = new Map<string, CachePeer>()
const url = process.env.STAMPEDE_REDIS_URL
if (url === undefined) throw new Error('STAMPEDE_REDIS_URL is not set')
for (const peer of await openCaches(url)) {
  await untilKept(peer)
  peers.set(peer.name, peer)
}

async function miss({ peer: name, key, callers, loadMs }: StampedeOrder): Promise<StampedeAnswer> {
  const peer = peers.get(name)
  if (!peer) throw new Error(`No cache is named ${name}`)
  let loads = 0
  const load = async (): Promise<unknown> => {
    loads++
    await new Promise((resolve) => setTimeout(resolve, loadMs))
    return { key }
  }
  await Promise.all(Array.from({ length: callers }, () => peer.read(key, load)))
  return { loads }
}

process.on('message', (order: StampedeOrder) => {
  void miss(order).then((answer) => process.send?.(answer))
})
process.once('disconnect', () => process.exit())
process.send?.({ loads: 0 } satisfies StampedeAnswer)
