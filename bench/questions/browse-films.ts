import { startPostgres } from '@org/db-testing'
import { fillShop, openBrowsedShop } from '@org/shop/browse'
import type { OperationVariant, Question, Stage } from '../src/question.ts'

const ordersPerMille = 10

export const question: Question = {
  title: `The shop: pages of 20 films and films with their history, one order in ${1_000 / ordersPerMille} calls, which voids what it changes.`,
  metric: 'throughput',
  baseline: 'ours',
  plan: { rounds: 5, seconds: 1, concurrency: [1, 16], warmUpSeconds: 1 },
  async setup({ progress }): Promise<Stage> {
    progress('starting PostgreSQL and loading the films')
    const server = await startPostgres()
    try {
      const { url } = await server.createDatabase({ name: 'shop' })
      await fillShop(url)
      const plain = openBrowsedShop(url, { isCached: false })
      const cached = openBrowsedShop(url, { isCached: true })
      for (const draw of [1, 2]) {
        const [one, other] = await Promise.all([plain.look(draw), cached.look(draw)])
        if (JSON.stringify(one) !== JSON.stringify(other)) throw new Error('The cache shows something else')
      }
      return {
        variants: [
          toVariant('ours', 'the shop without its cache', plain),
          toVariant('ours-cached', 'with films remembered in memory for 2 s', cached),
        ],
        environment: { PostgreSQL: server.version },
        notes: [],
        postmasterPid: server.pid,
        async close() {
          await plain.close()
          await cached.close()
          await server.stop()
        },
      }
    } catch (error) {
      await server.stop()
      throw error
    }
  },
}

function toVariant(name: string, detail: string, shop: ReturnType<typeof openBrowsedShop>): OperationVariant {
  let draw = 0
  return {
    name,
    detail,
    operation() {
      draw = (draw + 617) % 9_973
      return draw % 1_000 < ordersPerMille ? shop.buy(draw) : shop.look(draw)
    },
  }
}
