import { randomInt } from 'node:crypto'
import { type SqlExecutor, systemClock } from '@org/db-core'
import { MigrationError } from '../errors.ts'
import { advanceRun, failRun, markRunning, type Run, stopRun } from '../history/ledger.ts'
import type { Settings } from '../options.ts'
import { commit, rollback, type Session } from '../session.ts'
import { astHash } from '../sql/ast-hash.ts'
import type { SqlStatement } from '../sql/parser.ts'
import type { Step } from '../sql/steps.ts'
import { fateOf, invalidLeftover, leavesTraces, stateBefore } from './recovery.ts'
import type { Script } from './script.ts'
import { restoreSession } from './session-settings.ts'
import { isWorthRetrying, statementError } from './statement-error.ts'

/** How a script is bound into the history. */
export interface ScriptRun {
  readonly id: string
  readonly script: Script
  /** What an interrupted run has left. */
  readonly earlier: Run | undefined
  /** Writes the first rows of the history; runs in the first step's transaction. */
  readonly begin: () => Promise<void>
  /** Writes the last rows; runs in the last step's transaction. */
  readonly end: () => Promise<void>
  /** Tells the history of a failure that left something behind. */
  readonly fail: (error: string) => Promise<void>
}

interface Work extends ScriptRun {
  readonly session: Session
  readonly settings: Settings
  begun: boolean
}

/**
 * Runs what is left of a script. A step in a transaction commits together with the note that it is done, so it
 * happens once or not at all; a step outside is noted before and after, and found out about in between.
 * @throws MigrationError `DB_MIGRATIONS_STATEMENT_FAILED`, `DB_MIGRATIONS_UNCERTAIN`, `DB_MIGRATIONS_REFUSED`
 */
export async function runScript(session: Session, settings: Settings, run: ScriptRun): Promise<void> {
  const work: Work = { ...run, session, settings, begun: run.earlier !== undefined }
  const { steps, statements } = run.script
  const left = steps.filter((step) => step.end > (run.earlier?.done ?? 0))
  const last = left.at(-1)
  if (run.earlier && last) await restoreSession(session, run.script, run.earlier.done)
  for (const step of left) {
    if (step.mode === 'transaction') {
      await withRetries(work, step, settings.lockRetries, () => inTransaction(work, step, step === last))
    } else await alone(work, step)
  }
  if (last?.mode === 'transaction') return
  await note(work, async (sql) => {
    await beginOnce(work)
    await advanceRun(sql, key(work), statements.length, run.script.astHash)
    await run.end()
  })
}

/** Writes into the history between two steps, as who has opened the session: the file may have taken another role. */
async function note({ session }: Work, fn: (sql: SqlExecutor) => Promise<void>): Promise<void> {
  await session.sql.transaction(async (sql) => {
    await sql.query('SET LOCAL ROLE NONE')
    await fn(sql)
  })
}

async function noteDone(work: Work, step: Step): Promise<void> {
  await note(work, (sql) => advanceRun(sql, key(work), step.end, doneHash(work, step.end)))
}

async function inTransaction(work: Work, step: Step, isLast: boolean): Promise<void> {
  const { session, settings, script } = work
  await session.run(step.begin)
  try {
    const lockTimeoutMs = script.migration.metadata.lockTimeoutMs ?? settings.lockTimeoutMs
    await session.run(`SET LOCAL lock_timeout = ${Math.round(lockTimeoutMs)}`)
    const begun = await beginOnce(work)
    for (const statement of step.statements) await runStatement(work, statement)
    // A file may have changed the role and left it so.
    await session.run('SET LOCAL ROLE NONE')
    await advanceRun(session.sql, key(work), step.end, doneHash(work, step.end))
    if (isLast) await work.end()
    await commit({ query: session.run })
    work.begun ||= begun
  } catch (error) {
    await rollback({ query: session.run })
    throw error
  }
}

async function alone(work: Work, step: Step): Promise<void> {
  const { session, settings } = work
  const { sql } = session
  const [statement] = step.statements
  if (!statement) return
  const wasRunning = work.earlier?.running === statement.index
  if (wasRunning && (await settle(work, statement, work.earlier?.before))) return noteDone(work, step)
  const leftover = await invalidLeftover(sql, statement)
  if (leftover !== undefined) await remove(work, [leftover])
  const before = await stateBefore(sql, statement)
  await note(work, async () => {
    const begun = await beginOnce(work)
    await markRunning(sql, key(work), statement.index, before)
    work.begun ||= begun
  })
  await session.run(`SET lock_timeout = ${Math.round(settings.concurrentWaitMs)}`)
  try {
    const again = leavesTraces(statement) ? settings.lockRetries : 0
    await withRetries(work, step, again, async () => {
      try {
        await runStatement(work, statement)
      } catch (error) {
        // A broken CONCURRENTLY leaves an index that nobody can use and every write has to keep up.
        const fate = await fateOf(sql, statement, before).catch(() => undefined)
        if (fate?.kind === 'repeat') await remove(work, fate.remove)
        if (fate?.kind === 'repeat') await stopped(work)
        throw error
      }
    })
  } finally {
    await session.run('SET lock_timeout = 0').catch(() => undefined)
  }
  await noteDone(work, step)
}

/** What an earlier run left in the middle of a statement; whether that statement is done now. */
async function settle(work: Work, statement: SqlStatement, before: unknown): Promise<boolean> {
  const { session, script } = work
  const fate = await fateOf(session.sql, statement, before)
  if (fate.kind === 'done') return true
  if (fate.kind === 'complete') {
    await session.run(fate.with)
    return true
  }
  if (fate.kind === 'repeat') {
    await remove(work, fate.remove)
    return false
  }
  throw new MigrationError(
    'DB_MIGRATIONS_UNCERTAIN',
    `${script.migration.name}/${script.file}: a runner ended in statement ${statement.index + 1}, line ${statement.line}, and nothing tells whether it took effect`,
    {
      migration: script.migration.name,
      file: script.file,
      statement: statement.index + 1,
      line: statement.line,
    },
  )
}

/** The statement is over, with an error, and has left nothing. */
async function stopped(work: Work): Promise<void> {
  await note(work, (sql) => stopRun(sql, key(work)))
}

async function remove({ session, settings, script }: Work, names: readonly string[]): Promise<void> {
  for (const index of names) {
    await session.run(`DROP INDEX CONCURRENTLY IF EXISTS ${index}`)
    settings.emit({ type: 'index-removed', migration: script.migration.name, index })
  }
}

async function runStatement({ session, settings, script }: Work, statement: SqlStatement): Promise<void> {
  const startedAt = systemClock.now()
  try {
    await session.run(statement.text)
  } catch (error) {
    throw statementError(error, script, statement)
  }
  settings.emit({
    type: 'statement',
    migration: script.migration.name,
    direction: script.direction,
    statement: statement.index + 1,
    statements: script.statements.length,
    ms: systemClock.now() - startedAt,
  })
}

async function withRetries(work: Work, step: Step, retries: number, fn: () => Promise<void>): Promise<void> {
  const { settings, script, session } = work
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await fn()
    } catch (error) {
      if (!isWorthRetrying(error) || attempt > retries) {
        await record(work, error)
        throw error
      }
      const delayMs = Math.min(100 * 2 ** (attempt - 1), 5_000) + randomInt(100)
      settings.emit({
        type: 'retry',
        migration: script.migration.name,
        statement: (error instanceof MigrationError ? error.statement : undefined) ?? step.end,
        attempt,
        delayMs,
        code: (error instanceof MigrationError ? error.sqlState : undefined) ?? '',
      })
      await systemClock.sleep(delayMs)
      await session.run('SELECT 1')
    }
  }
}

/** Notes the failure where there is a row for it; without one nothing was left behind, and nothing needs to be said. */
async function record(work: Work, error: unknown): Promise<void> {
  if (!work.begun) return
  const text = error instanceof Error ? error.message : String(error)
  // The connection may be what failed.
  await note(work, async (sql) => {
    await failRun(sql, key(work), text)
    await work.fail(text)
  }).catch(() => undefined)
}

async function beginOnce(work: Work): Promise<boolean> {
  if (work.begun) return false
  await work.begin()
  return true
}

function key({ id, script }: Work): { readonly id: string; readonly direction: Script['direction'] } {
  return { id, direction: script.direction }
}

function doneHash({ script }: Work, end: number): string {
  return astHash(script.statements.slice(0, end))
}
