export type { Change, ChangeSink } from './change.ts'
export { type ClassifyHints, classify } from './classify.ts'
export { type Clock, systemClock } from './clock.ts'
export type { DatabaseConfig, DatabaseConfigInput, Environment, PoolMode } from './config.ts'
export { ConfigError, type ConfigProblem } from './config-error.ts'
export {
  type ContextOptions,
  currentContext,
  type DbContext,
  restoreContext,
  runInContext,
} from './context.ts'
export { ConstraintError, DatabaseError, type DatabaseErrorCode, type Outcome } from './database-error.ts'
export { type DatabaseLike, databaseOf } from './database-of.ts'
export { DbError, type DbErrorOptions, isDbError } from './errors.ts'
export { createEvents, type DatabaseEvents, type EventSource, type Events } from './events.ts'
export { fromEnv } from './from-env.ts'
export { installSchema, SchemaInstallError, type SchemaPackage } from './install-schema.ts'
export type {
  ConstraintMetadata,
  FieldDefault,
  FieldMetadata,
  ModelMetadata,
  SchemaMetadata,
} from './metadata.ts'
export { modelsOf } from './models-of.ts'
export {
  compose,
  type Interceptor,
  type InterceptorHost,
  kindOfAction,
  type Next,
  type Operation,
  type SessionClient,
  type Stage,
  stages,
  type TransactionHook,
  type TransactionHooks,
} from './operation.ts'
export { parseConfig } from './parse-config.ts'
export type { SqlClient, SqlExecutor, SqlOptions } from './sql.ts'
export { withoutFastPath } from './without-fast-path.ts'
