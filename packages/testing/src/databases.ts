import { createHash, randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import pg from 'pg'
import { connected } from './connection.ts'

const quote = pg.escapeIdentifier

/** A database of its own, for one test or one test file. */
export interface TestDatabase {
  readonly name: string
  /** With user and password. */
  readonly url: string
  /** Drops it; connections that have not ended by themselves within 500 ms are ended. The server drops all of them anyway when it stops. */
  drop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** What every database made from a template holds. */
export interface TemplateOptions {
  /** Part of the databases' names, so that they can be recognised. */
  readonly name: string
  /** SQL text, or a function that fills the database at `url` and closes its connections. */
  readonly setup: string | ((url: string) => Promise<void>)
  /**
   * Tells templates apart whose `setup` is the same function text but does something else, for example the
   * content of the migrations it applies. SQL text needs none. Default `''`.
   */
  readonly version?: string
}

/** A database that is copied instead of set up again. */
export interface DatabaseTemplate {
  readonly name: string
  createDatabase(): Promise<TestDatabase>
}

/** The databases of a server. */
export interface PostgresDatabases {
  /** Of the maintenance database, as a superuser. */
  readonly url: string
  /** The URL of the database `name`, whether it exists or not. */
  database(name: string): string
  /** Creates an empty database, with a unique name unless one is given. */
  createDatabase(options?: { readonly name?: string }): Promise<TestDatabase>
  /**
   * Builds the template, once for each server, name, setup and version, whichever process asks first.
   * What `setup` throws is thrown unchanged, and nothing is left of the template.
   */
  template(options: TemplateOptions): Promise<DatabaseTemplate>
}

function identifier(name: string, suffix: string): string {
  const word = name.toLowerCase().replace(/[^a-z0-9]+/g, '_')
  return `${word.slice(0, 40)}_${suffix}`
}

const departureMs = 500
const departurePollMs = 20

/**
 * Waits a little for the sessions of a database to end. `pool.end()` of `pg` answers before its sockets are closed,
 * and a connection that is terminated in that moment raises an error that nobody can catch.
 */
async function departed(admin: pg.Client, name: string): Promise<void> {
  const until = Date.now() + departureMs
  for (;;) {
    const { rowCount } = await admin.query('SELECT FROM pg_stat_activity WHERE datname = $1 LIMIT 1', [name])
    if (rowCount === 0 || Date.now() >= until) return
    await setTimeout(departurePollMs)
  }
}

/** Creates databases on the server at `url`, whose user may create databases. */
export function postgresDatabases(url: string): PostgresDatabases {
  const templates = new Map<string, Promise<DatabaseTemplate>>()

  function database(name: string): string {
    const target = new URL(url)
    target.pathname = `/${encodeURIComponent(name)}`
    return target.href
  }

  function handle(name: string): TestDatabase {
    const drop = () =>
      connected(url, async (admin) => {
        await departed(admin, name)
        await admin.query(`DROP DATABASE IF EXISTS ${quote(name)} WITH (FORCE)`)
      })
    return { name, url: database(name), drop, [Symbol.asyncDispose]: drop }
  }

  async function create(name: string, template?: string): Promise<TestDatabase> {
    const from = template === undefined ? '' : ` TEMPLATE ${quote(template)}`
    await connected(url, (admin) => admin.query(`CREATE DATABASE ${quote(name)}${from}`))
    return handle(name)
  }

  async function fill(name: string, setup: TemplateOptions['setup']): Promise<void> {
    if (typeof setup === 'string') await connected(database(name), (client) => client.query(setup))
    else await setup(database(name))
  }

  async function build(name: string, setup: TemplateOptions['setup']): Promise<void> {
    await connected(url, async (admin) => {
      // Held by this session alone: if the process dies, the next one drops what is half built and builds it.
      await admin.query('SELECT pg_advisory_lock(hashtextextended($1, 0))', [name])
      const { rows } = await admin.query<{ datistemplate: boolean }>(
        'SELECT datistemplate FROM pg_database WHERE datname = $1',
        [name],
      )
      if (rows[0]?.datistemplate) return
      await admin.query(`DROP DATABASE IF EXISTS ${quote(name)} WITH (FORCE)`)
      await admin.query(`CREATE DATABASE ${quote(name)}`)
      try {
        await fill(name, setup)
      } catch (error) {
        await admin.query(`DROP DATABASE ${quote(name)} WITH (FORCE)`)
        throw error
      }
      // A pool that is still closing its connections would make the first copies fail.
      await departed(admin, name)
      await admin.query(`ALTER DATABASE ${quote(name)} ALLOW_CONNECTIONS false`)
      await admin.query('SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1', [
        name,
      ])
      await admin.query(`ALTER DATABASE ${quote(name)} IS_TEMPLATE true`)
    })
  }

  return {
    url,
    database,
    createDatabase: (options = {}) =>
      create(options.name ?? identifier('test', randomBytes(6).toString('hex'))),
    template({ name, setup, version = '' }) {
      const content = createHash('sha256').update(`${name}\n${version}\n${setup}`).digest('hex').slice(0, 12)
      const template = identifier(`template_${name}`, content)
      const existing = templates.get(template)
      if (existing) return existing
      const built = build(template, setup).then(() => ({
        name: template,
        createDatabase: () => create(identifier(name, randomBytes(6).toString('hex')), template),
      }))
      templates.set(template, built)
      // A failed build may be tried again.
      built.catch(() => templates.delete(template))
      return built
    },
  }
}
