import { versionsOf } from '../src/environment.ts'
import type { OperationVariant, Question, Stage } from '../src/question.ts'
import { startSagaServer } from '../src/saga-server.ts'

export const question: Question = {
  title: 'A saga of three steps that do nothing, from its start to its end: what durability costs.',
  metric: 'throughput',
  baseline: 'DBOS',
  plan: { rounds: 5, seconds: 1, concurrency: [1, 10, 50], warmUpSeconds: 1 },
  async setup({ progress }): Promise<Stage> {
    progress('starting PostgreSQL, DBOS, pg-boss and graphile-worker')
    const sagas = await startSagaServer({ poolSize: 20 })
    const variant = (name: string, detail: string, operation: () => Promise<unknown>): OperationVariant => ({
      name,
      detail,
      operation,
    })
    try {
      for (const run of [sagas.ours, sagas.oursInTransaction, sagas.dbos]) {
        const output = await run()
        if (output !== 6) throw new Error(`A saga returned ${String(output)} instead of 6`)
      }
    } catch (error) {
      await sagas.close()
      throw error
    }
    return {
      variants: [
        variant('ours', 'a function with ctx.step', sagas.ours),
        variant('ours, listed', 'a list of steps, each with a compensation', sagas.oursListed),
        variant('ours, in a transaction', 'started in a transaction of the caller', sagas.oursInTransaction),
        variant('DBOS', 'a workflow with DBOS.runStep', sagas.dbos),
        variant('pg-boss', 'a job for each step, which enqueues the next', sagas.boss),
        variant('graphile-worker', 'a job for each step, which enqueues the next', sagas.graphile),
      ],
      environment: {
        ...sagas.server.environment,
        ...versionsOf(['@prisma/client', '@dbos-inc/dbos-sdk', 'pg-boss', 'graphile-worker']),
      },
      notes: [
        'Each step is on disk before the next one begins; 20 connections each. pg-boss and graphile-worker are job queues: their chain of jobs keeps no results and undoes nothing. pg-boss looks for jobs every 500 ms.',
      ],
      postmasterPid: sagas.server.postmasterPid,
      beforeTurn: sagas.empty,
      close: sagas.close,
    }
  },
}
