// `runner.ts URL DIRECTORY CALL MOMENT`: deploys, and kills itself with SIGKILL at the given call to the database: before
// it is sent, while the server works on it, or when its answer is there. With CALL 0 it prints how many calls there are.
import { createMigrator } from '@org/db-migrations'
import pg from 'pg'

const [url = '', directory = '', call = '0', moment = 'before'] = process.argv.slice(2)
const die = (): void => void process.kill(process.pid, 'SIGKILL')

let calls = 0
const query = pg.Client.prototype.query as (...args: unknown[]) => Promise<unknown>
pg.Client.prototype.query = function counted(this: pg.Client, ...args: unknown[]) {
  calls += 1
  if (calls !== Number(call)) return query.apply(this, args)
  if (moment === 'before') die()
  const answer = query.apply(this, args)
  if (moment === 'during') setImmediate(die)
  else answer.then(die, die)
  return answer
} as typeof pg.Client.prototype.query

await createMigrator({ url, directory }).deploy()
process.stdout.write(String(calls))
