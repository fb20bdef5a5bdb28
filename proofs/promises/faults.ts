import { diskFull } from '../src/faults/disk-full.ts'
import { faults } from '../src/faults/fault.ts'
import { judge } from '../src/faults/judge.ts'
import { limits } from '../src/faults/limits.ts'
import { observe } from '../src/faults/observe.ts'
import { phases } from '../src/faults/phase.ts'
import { openStage } from '../src/faults/stage.ts'
import type { Check, Prove } from '../src/proof.ts'

export const title =
  'Whatever breaks, the caller learns the truth: what failed had no effect, or is said to be unknown; nobody repeats it.'

const runs = { full: 5, short: 1 } as const
const leftOutWhenShort = new Set(['network stalled'])

export const prove: Prove = async ({ scale, report, signal }) => {
  await using stage = await openStage()
  const checks: Check[] = []
  let id = 0
  for (const fault of faults) {
    if (scale === 'short' && leftOutWhenShort.has(fault.name)) continue
    for (const phase of phases) {
      const answers = new Set<string>()
      for (let run = 0; run < runs[scale]; run += 1) {
        signal.throwIfAborted()
        report.progress(`${fault.name}, ${phase.name}, run ${run + 1} of ${runs[scale]}`)
        id += 1
        const seen = await observe(stage, fault, phase, id)
        answers.add(`${seen.answer} (stored: ${seen.stored})`)
        checks.push(...judge(seen))
      }
      report.figure({ name: `${fault.name}, ${phase.name}`, value: [...answers].sort().join(' or ') })
    }
  }
  report.progress('limits')
  checks.push(...(await limits()))
  report.progress('disk full')
  checks.push(...(await diskFull(report)))
  return checks
}
