export { type DataMigration, defineDataMigration, type VisitedRows } from './define.ts'
