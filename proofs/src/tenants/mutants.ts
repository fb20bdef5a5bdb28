import type { Interceptor, Operation } from '@org/db-core'
import { type TenancyOptions, tenancy } from '@org/db-core/tenancy'
import { metadata } from '@org/prisma/metadata'
import { sharedModels as shared } from '@org/prisma/shared-models'

/** A layer with one of its lines taken out; if the suite does not notice, it is worth nothing. */
export interface Mutant {
  readonly name: string
  readonly interceptor?: () => Interceptor
  /** What is done to the policies. */
  readonly sql?: string
}

type Args = Readonly<Record<string, unknown>>

/** `tenancy()` whose scoped arguments are partly replaced by those that were given. */
function undoing(
  undo: (scoped: Args, given: Args, operation: Operation) => Args,
  options: TenancyOptions = { shared },
): Interceptor {
  const whole = tenancy(options)
  return {
    ...whole,
    intercept: (operation, next) =>
      whole.intercept(operation, (scoped) =>
        next(
          operation.model === undefined
            ? scoped
            : { ...scoped, args: undo(scoped.args as Args, operation.args as Args, operation) },
        ),
      ),
  }
}

function withGiven(scoped: Args, given: Args, keys: readonly string[]): Args {
  const rest = Object.fromEntries(Object.entries(scoped).filter(([key]) => !keys.includes(key)))
  return {
    ...rest,
    ...Object.fromEntries(keys.flatMap((key) => (given[key] === undefined ? [] : [[key, given[key]]]))),
  }
}

function withGivenRelations(scoped: unknown, given: unknown, model: string): unknown {
  const fields = metadata.models[model]?.fields ?? {}
  if (typeof scoped !== 'object' || scoped === null || Array.isArray(scoped)) return scoped
  return Object.fromEntries(
    Object.entries(scoped).map(([key, value]) => {
      const given_ = (given as Args)[key] as Args | undefined
      const isNested = fields[key]?.kind === 'relation' && given_ !== undefined
      if (!isNested || !('connect' in given_ || 'update' in given_ || 'delete' in given_)) return [key, value]
      return [key, given_]
    }),
  )
}

export const columnMutants: readonly Mutant[] = [
  {
    name: 'conditions are not scoped',
    interceptor: () => undoing((scoped, given) => withGiven(scoped, given, ['where'])),
  },
  {
    name: 'include and select are not scoped',
    interceptor: () => undoing((scoped, given) => withGiven(scoped, given, ['include', 'select'])),
  },
  {
    name: 'nested writes are not scoped',
    interceptor: () =>
      undoing((scoped, given, { model = '' }) => ({
        ...scoped,
        ...(scoped.data !== undefined && { data: withGivenRelations(scoped.data, given.data, model) }),
      })),
  },
  { name: 'foreign keys are not looked up', interceptor: () => tenancy({ shared, references: 'trust' }) },
]

export const rowMutants: readonly Mutant[] = [
  {
    name: 'one table has no policy',
    sql: 'ALTER TABLE task NO FORCE ROW LEVEL SECURITY; ALTER TABLE task DISABLE ROW LEVEL SECURITY',
  },
  {
    name: 'what is written is not checked',
    sql: `DROP POLICY tenant ON task; CREATE POLICY tenant ON task USING (tenant_id = NULLIF(current_setting('app.tenant', true), '')) WITH CHECK (true)`,
  },
  {
    name: 'foreign keys are not looked up',
    sql: `DO $$ DECLARE g record; BEGIN
      FOR g IN SELECT tgname, tgrelid::regclass AS relation FROM pg_trigger WHERE tgname LIKE '%\\_same\\_tenant' LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', g.tgname, g.relation);
      END LOOP; END $$`,
  },
  { name: 'join tables have no policy', sql: 'ALTER TABLE "_LabelToTask" DISABLE ROW LEVEL SECURITY' },
]
