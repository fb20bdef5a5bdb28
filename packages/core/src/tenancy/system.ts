import { currentContext, type DbContext, runInContext } from '../context.ts'
import type { DatabaseEvents, EventSource } from '../events.ts'
import { TenantError } from './tenant-error.ts'

/** The mark of work for no tenant; two copies of this package must know each other's. */
const mark: unique symbol = Symbol.for('@org/db-core/system')

interface Bypass {
  readonly reason: string
}

interface SystemContext extends DbContext {
  readonly [mark]?: Bypass
}

/**
 * Runs `fn` for no tenant: the column layer scopes nothing, row-level security gets its bypass setting. Each
 * database that is used inside reports it once, as the event `database.tenant.bypassed`. A tenant given inside
 * (`db.run({ tenant }, …)`) ends the bypass for what it encloses.
 * @throws TypeError without a reason
 */
export function asSystem<T>(reason: string, fn: () => T): T {
  if (reason.trim() === '') throw new TypeError('asSystem needs a reason, which is what the event reports')
  // Explicitly no tenant: the one of the context around must not shine through.
  const context = { tenant: undefined, [mark]: { reason } }
  return runInContext(context as object as SystemContext, fn)
}

/** For whom work is done. */
export type Party = { readonly tenant: string } | { readonly system: Bypass }

/** For whom `context` works; nobody outside of both. */
export function partyOf(context: DbContext): Party | undefined {
  // An empty name would be no tenant for PostgreSQL's policies; it must not open the bypass either.
  if (context.tenant !== undefined) return context.tenant === '' ? undefined : { tenant: context.tenant }
  const system = (context as SystemContext)[mark]
  return system && { system }
}

/** The same, where nobody is an error. */
export function requireParty(
  context: DbContext,
  about: { model?: string | undefined; action: string },
): Party {
  const party = partyOf(context)
  if (party) return party
  const subject = about.model === undefined ? about.action : `${about.model}.${about.action}`
  throw new TenantError('DB_TENANT_MISSING', `${subject} needs a tenant in the context, or asSystem`, about)
}

const announced = new WeakMap<object, WeakSet<Bypass>>()

/** Reports the bypass, once for each `asSystem` and database. */
export function announceBypass(
  events: Pick<EventSource<DatabaseEvents>, 'emit'>,
  bypass: Bypass,
  { actor, requestId }: DbContext = currentContext(),
): void {
  const known = announced.get(events) ?? new WeakSet()
  announced.set(events, known)
  if (known.has(bypass)) return
  known.add(bypass)
  events.emit('database.tenant.bypassed', {
    reason: bypass.reason,
    ...(actor !== undefined && { actor }),
    ...(requestId !== undefined && { requestId }),
  })
}
