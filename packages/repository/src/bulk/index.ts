export { bulk } from './bulk.ts'
export type {
  Bulk,
  BulkChange,
  BulkOptions,
  CreateManyOptions,
  UpdateManyResult,
  UpsertManyOptions,
  UpsertManyResult,
} from './bulk-types.ts'
