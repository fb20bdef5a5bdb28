export { type Fragment, type Fragments, fragment, fragments } from './fragment.ts'
export { type Sql, sql } from './sql.ts'
