export type { DatabaseTemplate, PostgresDatabases, TemplateOptions, TestDatabase } from './databases.ts'
export { TestingError, type TestingErrorCode } from './errors.ts'
export { type PostgresOptions, type PostgresServer, startPostgres } from './postgres.ts'
export { sharedPostgres, testDatabase } from './shared-postgres.ts'
