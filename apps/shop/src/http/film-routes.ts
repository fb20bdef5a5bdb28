import type { FastifyInstance } from 'fastify'
import type { Shop } from '../shop.ts'
import { ShopError } from '../shop-error.ts'
import { browseQuery, filmParams } from './input-schemas.ts'
import { parseInput } from './parse-input.ts'

/** `GET /films`, `GET /films/:id` */
export function filmRoutes(app: FastifyInstance, { films }: Shop): void {
  app.get('/films', ({ query }) => films.browse(parseInput(browseQuery, query)))

  app.get('/films/:id', async ({ params }) => {
    const { id } = parseInput(filmParams, params)
    const film = await films.withHistory(id)
    if (!film) throw new ShopError('FILM_NOT_FOUND', 'No such film', { filmIds: [id] })
    return film
  })
}
