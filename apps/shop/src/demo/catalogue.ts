import pg from 'pg'

/** A film that customers can ask for. */
export interface CatalogueFilm {
  readonly id: number
  readonly stock: number
  /** In US dollars; 0 when it is not known. */
  readonly worldwideGross: number
}

/** All films, the best known first, as the database itself has them; not through the code that is under test. */
export async function readCatalogue(url: string): Promise<readonly CatalogueFilm[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query<CatalogueFilm>(
      `SELECT id, stock, coalesce(worldwide_gross, 0)::float8 AS "worldwideGross"
       FROM film ORDER BY worldwide_gross DESC NULLS LAST, id`,
    )
    return rows
  } finally {
    await client.end()
  }
}
