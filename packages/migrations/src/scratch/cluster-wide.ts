import { type Script, toScript } from '../deploy/script.ts'
import { MigrationError } from '../errors.ts'
import type { Migration } from '../folder.ts'
import { addressOf, type Settings } from '../options.ts'
import { openSession, type Session } from '../session.ts'
import { codeOfBody, functionsCalled } from '../sql/bodies.ts'
import type { SqlStatement } from '../sql/parser.ts'

/** Statements about what all databases of a cluster share. */
const statements: Readonly<Record<string, string>> = {
  CreateRoleStmt: 'CREATE ROLE',
  AlterRoleStmt: 'ALTER ROLE',
  AlterRoleSetStmt: 'ALTER ROLE … SET',
  DropRoleStmt: 'DROP ROLE',
  GrantRoleStmt: 'GRANT or REVOKE of a role',
  // Both reach databases and tablespaces, too.
  ReassignOwnedStmt: 'REASSIGN OWNED',
  DropOwnedStmt: 'DROP OWNED',
  CreatedbStmt: 'CREATE DATABASE',
  DropdbStmt: 'DROP DATABASE',
  AlterDatabaseStmt: 'ALTER DATABASE',
  AlterDatabaseSetStmt: 'ALTER DATABASE … SET',
  AlterDatabaseRefreshCollStmt: 'ALTER DATABASE … REFRESH COLLATION VERSION',
  CreateTableSpaceStmt: 'CREATE TABLESPACE',
  DropTableSpaceStmt: 'DROP TABLESPACE',
  AlterTableSpaceOptionsStmt: 'ALTER TABLESPACE',
  AlterSystemStmt: 'ALTER SYSTEM',
  CreateSubscriptionStmt: 'CREATE SUBSCRIPTION',
  AlterSubscriptionStmt: 'ALTER SUBSCRIPTION',
  DropSubscriptionStmt: 'DROP SUBSCRIPTION',
}

/** Statements about any object, which may be one that the cluster shares. */
const general: Readonly<Record<string, string>> = {
  GrantStmt: 'GRANT or REVOKE',
  RenameStmt: 'ALTER … RENAME',
  AlterOwnerStmt: 'ALTER … OWNER',
  CommentStmt: 'COMMENT',
  SecLabelStmt: 'SECURITY LABEL',
}
const shared = /^OBJECT_(ROLE|DATABASE|TABLESPACE|SUBSCRIPTION|PARAMETER_ACL)$/

/** The same in the text of a body, also of what it executes as dynamic SQL. */
const words = [
  /\b((?:create|alter|drop)\s+(?:role|user(?!\s+mapping)|group|database|tablespace|subscription))\b/i,
  /\b(alter\s+system|(?:reassign|drop)\s+owned)\b/i,
  // Of a role: privileges have an ON.
  /\b(grant)\s+(?:(?!\son\s)[\w%", ])+?\sto\b/i,
  /\b(revoke)\s+(?:(?!\son\s)[\w%", ])+?\sfrom\b/i,
]
const functions = /^(pg_\w*replication_(slot|origin)\w*|pg_reload_conf|pg_promote|dblink\w*)$/

/** What a statement changes beyond its own database, in words; of dynamic SQL only what is written out. */
export function clusterWide({ tree }: Pick<SqlStatement, 'tree'>): string | undefined {
  const [kind = '', content] = Object.entries(tree)[0] ?? []
  if (statements[kind] !== undefined) return statements[kind]
  const object = objectType(content as object | undefined)
  if (general[kind] !== undefined && object !== undefined) return `${general[kind]} of a ${object}`
  const body = codeOfBody(tree)
  for (const each of words) {
    const found = each.exec(body)?.[1]
    if (found !== undefined) return found.replace(/\s+/g, ' ').toUpperCase()
  }
  return functionsCalled(tree).find((name) => functions.test(name))
}

function objectType(content: object | undefined): string | undefined {
  const fields = content as { objtype?: string; objectType?: string; renameType?: string } | undefined
  const type = fields?.objtype ?? fields?.objectType ?? fields?.renameType ?? ''
  return shared.exec(type)?.[1]?.replace('_ACL', '').toLowerCase()
}

/**
 * A scratch database keeps apart what belongs to a database; roles, settings of the server and their like would be
 * changed for everybody. They are replayed on another cluster only.
 * @throws MigrationError `DB_MIGRATIONS_REFUSED`
 */
export async function refuseClusterWide(settings: Settings, scripts: readonly Script[]): Promise<void> {
  for (const { migration, file, statements: all } of scripts) {
    for (const statement of all) {
      const what = clusterWide(statement)
      if (what === undefined) continue
      if (await isOtherCluster(settings)) return
      throw new MigrationError(
        'DB_MIGRATIONS_REFUSED',
        `${migration.name}/${file}, line ${statement.line}: ${what} reaches beyond a scratch database, into the whole cluster; give a shadowUrl that leads to another one`,
        { migration: migration.name, file, statement: statement.index + 1, line: statement.line },
      )
    }
  }
}

/** Each migration's way there, and with `back` its way back where there is one. */
export async function scriptsOf(
  migrations: readonly Migration[],
  { back }: { readonly back: boolean },
): Promise<readonly Script[]> {
  const scripts: Script[] = []
  for (const migration of migrations) {
    scripts.push(await toScript(migration, 'up'))
    if (back && migration.metadata.reversible !== 'none') scripts.push(await toScript(migration, 'down'))
  }
  return scripts
}

/**
 * Two servers that run at the same time and were started at different times: the number that `initdb` drew would be the
 * same in a copy. Of a standby it is not known whose it is.
 */
async function isOtherCluster(settings: Settings): Promise<boolean> {
  if (settings.shadowUrl === undefined) return false
  const { ssl, sessionPooler } = settings
  await using shadow = await openSession({ url: settings.shadowUrl, ssl, sessionPooler })
  await using own = await openSession({ url: addressOf(settings), ssl, sessionPooler })
  const [there, here] = [await serverOf(shadow), await serverOf(own)]
  return (
    !here.isStandby && (await serverOf(shadow)).started === there.started && there.started !== here.started
  )
}

interface Server {
  readonly started: string
  readonly isStandby: boolean
}

async function serverOf({ sql }: Session): Promise<Server> {
  const [server] = await sql.query<Server>(
    'SELECT pg_postmaster_start_time()::text AS started, pg_is_in_recovery() AS "isStandby"',
  )
  if (!server) throw new TypeError('SELECT without FROM gave no row')
  return server
}
