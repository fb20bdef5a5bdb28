import { z } from 'zod'

const text = z.string().nullable()
const amount = z.int().nonnegative().nullable()

/**
 * One row of `movies.json` as the list states it. Columns that the shop has no use for are let through: they
 * stay in `film_source`.
 */
export const filmRow = z.looseObject({
  // Titles that look like numbers have become numbers on their way through a spreadsheet: 1776, 300.
  Title: z.union([z.string(), z.number()]).nullable(),
  'Release Date': text,
  'MPAA Rating': text,
  'Running Time min': z.int().positive().nullable(),
  Distributor: text,
  'Major Genre': text,
  Director: text,
  'US Gross': amount,
  'Worldwide Gross': amount,
  'IMDB Rating': z.number().min(1).max(10).nullable(),
  'IMDB Votes': amount,
})

/** One row that has the shape of the list. */
export type FilmRow = z.infer<typeof filmRow>
