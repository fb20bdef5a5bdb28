import { openDatabase } from '../db.ts'
import { environment, sayWhy } from '../environment.ts'
import { createShop } from '../shop.ts'
import { readFilmList } from './film-list.ts'
import { loadFilms } from './load-films.ts'
import { formatReport } from './load-report.ts'

// `npm run load`: fills the database of DATABASE_URL, whose tables must be there.
try {
  await using db = openDatabase(environment().database)
  await db.connect()
  const report = await loadFilms(createShop(db), { rows: await readFilmList() })
  console.log(formatReport(report).join('\n'))
} catch (error) {
  sayWhy(error)
}
