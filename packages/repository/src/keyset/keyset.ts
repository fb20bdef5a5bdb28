import type { SchemaMetadata } from '@org/db-core'
import type { ModelName, UniqueKey } from '../client-types.ts'
import { RepositoryError } from '../errors.ts'
import { extraOf } from '../extra.ts'
import type { Inner, RepositoryLike } from '../inner.ts'
import type { MapperLike } from '../mapper.ts'
import type { Exact, Result, Unmapped } from '../repository-types.ts'
import { type CursorCodec, cursorCodec } from './cursor.ts'
import { type KeysetPage, readKeysetPage } from './keyset-page.ts'
import type { KeysetOptions } from './keyset-types.ts'

/** How the cursors of a repository are made. */
export interface KeysetSetup {
  /**
   * Signs the cursors, so that nobody else can make one; of several the first signs and all are accepted, for
   * rotation. At least 16 characters. Default: none, and cursors are bound to their list by a checksum only.
   */
  readonly secret?: string | readonly string[]
  /** The user's schema, for a repository on a plain client. Default: the metadata of the `Database`. */
  readonly metadata?: SchemaMetadata
}

/** Keyset pages of one repository. */
export interface Keyset<C, M extends string, Mapping> {
  /**
   * One page of a list in any order, found by the values of the row before it: as fast at any depth as at the start,
   * and right whatever is inserted or deleted meanwhile. Every row that is there throughout is seen exactly once,
   * forwards and backwards.
   * @throws RepositoryError DB_REPOSITORY_CURSOR for a cursor that is not of this list
   */
  page<A extends Unmapped<Mapping, KeysetOptions<C, M>>>(
    options?: Exact<A, Unmapped<Mapping, KeysetOptions<C, M>>>,
  ): Promise<KeysetPage<Result<C, M, Mapping, A>>>
}

/**
 * Adds keyset pages to a repository: `const pages = keyset(films, { secret })`.
 * @throws RepositoryError DB_REPOSITORY_CONFIG without metadata, and for a secret that is too short
 */
export function keyset<
  C extends object,
  M extends ModelName<C>,
  Mapping extends MapperLike | undefined,
  K extends UniqueKey<C, M>,
>(repository: RepositoryLike<C, M, Mapping, K>, setup: KeysetSetup = {}): Keyset<C, M, Mapping> {
  const inner = repository['~inner']
  const source: KeysetSource = {
    inner,
    metadata: metadataFor(inner, setup.metadata),
    cursors: cursorCodec(checkedSecrets(setup.secret)),
  }
  const methods: Keyset<C, M, Mapping> = {
    page: (options) =>
      inner.call({ action: 'keysetPage', kind: 'read' }, [options], (given) =>
        readKeysetPage(source, given),
      ) as Promise<never>,
  }
  return extraOf(repository, methods, (view) => keyset(view, setup))
}

/** A repository with what its cursors need. */
export interface KeysetSource {
  readonly inner: Pick<Inner<unknown, unknown, unknown, unknown>, 'access' | 'maxPageSize'>
  readonly metadata: SchemaMetadata
  readonly cursors: CursorCodec
}

/** The given metadata, or that of the client. @throws RepositoryError DB_REPOSITORY_CONFIG where there is none */
export function metadataFor(
  { access }: Pick<Inner<unknown, unknown, unknown, unknown>, 'access'>,
  given: SchemaMetadata | undefined,
): SchemaMetadata {
  const metadata = given ?? access.binding.database?.metadata
  if (metadata && Object.hasOwn(metadata.models, access.model)) return metadata
  throw new RepositoryError(
    'DB_REPOSITORY_CONFIG',
    `The metadata of ${access.model} is needed: give it to createDatabase, or as the option metadata`,
  )
}

function checkedSecrets(secret: KeysetSetup['secret'] = []): readonly string[] {
  const secrets = typeof secret === 'string' ? [secret] : secret
  if (secrets.every((each) => each.length >= 16)) return secrets
  throw new RepositoryError('DB_REPOSITORY_CONFIG', 'A secret for cursors has fewer than 16 characters')
}
