import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Each transaction writes two notes, at its begin and its end: half of it would be one of them. */
const noted = (step: string, sql: string): string =>
  `INSERT INTO note VALUES ('${step}', 'begin'); ${sql} INSERT INTO note VALUES ('${step}', 'end');`

/** What can be interrupted: plain transactions, statements outside them, a file's own BEGIN, new enum values, data. */
const files: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  '1_start': {
    'migration.sql': `CREATE TABLE note (step text, part text); CREATE TYPE mood AS ENUM ('ok');
      CREATE TABLE film (id int PRIMARY KEY, mood mood, visits int NOT NULL DEFAULT 0);
      ${noted('start', 'INSERT INTO film SELECT n FROM generate_series(1, 40) n;')}`,
  },
  '2_concurrently': {
    'migration.sql': `${noted('before index', 'ALTER TABLE film ADD COLUMN title text;')}
      CREATE INDEX CONCURRENTLY film_title ON film (title);
      ${noted('between', "UPDATE film SET title = 'a';")}
      VACUUM film;
      CREATE UNIQUE INDEX CONCURRENTLY film_once ON film (id, title);
      DROP INDEX CONCURRENTLY film_title;
      ${noted('after index', 'ALTER TABLE film ADD COLUMN year int;')}`,
  },
  '3_own_transactions': {
    'migration.sql': `BEGIN; ${noted('own one', 'CREATE TABLE one ();')} COMMIT;
      BEGIN ISOLATION LEVEL SERIALIZABLE; ${noted('own two', 'CREATE TABLE two ();')} COMMIT;`,
  },
  // The new value is committed before its use, and with it all that stands before it.
  '4_enum': {
    'migration.sql': `${noted('enum', '')} ALTER TYPE mood ADD VALUE 'happy';
      ${noted('use', "UPDATE film SET mood = 'happy' WHERE id = 1;")}`,
  },
  '5_data': {
    'migration.sql': noted('data', 'CREATE TABLE three ();'),
    'data.mjs': `export default {
      each: { table: 'film', key: 'id', size: 9 },
      up: async (sql, rows) => { await sql.query('UPDATE film SET visits = visits + 1 WHERE id = ANY($1)', [rows.map((row) => row.id)]) },
      validate: async (sql) => (await sql.query('SELECT FROM film WHERE visits <> 1')).map(() => 'a film not visited once'),
    }`,
  },
  '6_end': { 'migration.sql': noted('end', 'CREATE TABLE four ();') },
}

/** Every transaction's note. */
export const steps = [
  'start',
  'before index',
  'between',
  'after index',
  'own one',
  'own two',
  'enum',
  'use',
  'data',
  'end',
]

/** A folder with all that can be interrupted. */
export async function migrationFolder(): Promise<{ readonly directory: string } & AsyncDisposable> {
  const directory = await mkdtemp(join(tmpdir(), 'migrate-'))
  for (const [name, each] of Object.entries(files)) {
    await mkdir(join(directory, name))
    for (const [file, text] of Object.entries(each)) await writeFile(join(directory, name, file), text)
  }
  return { directory, [Symbol.asyncDispose]: () => rm(directory, { recursive: true }) }
}
