export { type Fragment, type Fragments, fragment, fragments } from './fragment.ts'
export { type Sql, type SqlSetup, sql } from './sql.ts'
