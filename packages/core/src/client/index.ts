export { fromEnv } from '../from-env.ts'
export { createDatabase } from './create-database.ts'
export type { DatabaseHealth } from './health.ts'
export type { Logger } from './log-events.ts'
export type { ConnectionMetrics, PoolMetrics } from './pool.ts'
export type { ReplicaMetrics, ReplicaState } from './replicas/node.ts'
export type { RowSecurityOptions, TenantSchemaOptions } from './row-security.ts'
export type { StatementMetrics } from './statement-metrics.ts'
export type { Transaction } from './transaction-scope.ts'
export type {
  Database,
  DatabaseMethods,
  DatabaseMetrics,
  DatabaseOptions,
  PrismaClientLike,
  Propagation,
  RunOptions,
  TransactionOptions,
} from './types.ts'
