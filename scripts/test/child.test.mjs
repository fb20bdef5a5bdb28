import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { runChild } from '../lib/child.mjs'
import { isEnough } from '../lib/pnpm.mjs'

const childModule = new URL('../lib/child.mjs', import.meta.url).href

describe('runChild', () => {
  it('returns both streams and the exit code', async () => {
    const script = 'process.stdout.write("out\\n", () => console.error("err")); process.exitCode = 3'
    const { code, output, timedOut } = await runChild(process.execPath, ['-e', script])
    expect({ code, timedOut }).toEqual({ code: 3, timedOut: false })
    expect(output.split('\n').sort()).toEqual(['', 'err', 'out'])
  })

  it.skipIf(process.platform === 'win32')('kills grandchildren too at the time limit', async () => {
    // The pipe of its output closes, and the promise settles, only when the last holder of it is gone.
    const { code, timedOut } = await runChild('sh', ['-c', 'sleep 60 & wait'], { timeoutMs: 300 })
    expect({ code, timedOut }).toEqual({ code: 137, timedOut: true })
  })

  it.skipIf(process.platform === 'win32')('passes SIGINT on once and ends with its exit code', async () => {
    const inner =
      'process.on("SIGINT", () => { console.log("stopping"); setTimeout(() => process.exit(0), 200) });'
    const script = `import { runChild } from '${childModule}'
      await runChild(process.execPath, ['-e', ${JSON.stringify(`${inner} console.log("ready"); setTimeout(() => {}, 60000)`)}], { output: 'inherit' })`
    const outer = spawn(process.execPath, ['--input-type=module', '-e', script])
    let output = ''
    for await (const chunk of outer.stdout) {
      output += chunk
      if (output === 'ready\n') {
        outer.kill('SIGINT')
        outer.kill('SIGINT')
      }
    }
    const [code] = outer.exitCode === null ? await once(outer, 'exit') : [outer.exitCode]
    expect({ code, output }).toEqual({ code: 130, output: 'ready\nstopping\n' })
  })
})

describe('isEnough', () => {
  it('accepts the same major from the wanted version on', () => {
    expect(isEnough('10.34.9', '10.34.9')).toBe(true)
    expect(isEnough('10.40.0', '10.34.9')).toBe(true)
    expect(isEnough('10.34.8', '10.34.9')).toBe(false)
    expect(isEnough('11.0.0', '10.34.9')).toBe(false)
    expect(isEnough(undefined, '10.34.9')).toBe(false)
  })
})
