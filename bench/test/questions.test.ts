import { describe, expect, it } from 'vitest'
import { loadQuestion, questionNames } from '../src/catalogue.ts'
import type { Plan } from '../src/question.ts'
import { measure } from '../src/runner.ts'

const plan: Plan = { rounds: 1, seconds: 0.02, concurrency: [2], warmUpSeconds: 0.01 }
const progress = () => undefined

// What a question measures is for `pnpm bench`; here it only has to run, and its variants to agree with each other.
describe.each(await questionNames())('question %s', (name) => {
  it('sets itself up, measures every variant and closes', { timeout: 120_000 }, async () => {
    const question = await loadQuestion(name)
    const stage = await question.setup({ plan, progress })
    try {
      const rows = await measure({ question, stage, plan, progress })
      expect(rows.map(({ variant }) => variant)).toEqual(stage.variants.map(({ name }) => name))
      expect(rows.filter(({ median }) => !(median > 0))).toEqual([])
      expect(rows.some(({ variant }) => variant.startsWith('ours'))).toBe(true)
    } finally {
      await stage.close()
    }
  })
})
