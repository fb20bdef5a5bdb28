export type {
  CreateData,
  FindFirstOptions,
  FindManyOptions,
  Id,
  ModelName,
  PageOptions,
  Row,
  Selection,
  UniqueKey,
  UpdateData,
  Where,
} from './client-types.ts'
export { RepositoryError, type RepositoryErrorCode, VersionConflictError } from './errors.ts'
export { type Mapper, type MapperLike, type Mapping, mapper } from './mapper.ts'
export type { Page } from './page.ts'
export { BaseRepository } from './repository.ts'
export type { RepositoryOptions } from './repository-types.ts'
