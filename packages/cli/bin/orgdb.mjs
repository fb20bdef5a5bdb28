#!/usr/bin/env node
import { runCli } from '@org/db-cli'

// The first Ctrl-C ends what runs in order, the second one at once.
const interrupt = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    if (process.stderr.isTTY) process.stderr.write('\nEnding what runs; Ctrl-C once more ends it at once\n')
    interrupt.abort()
  })
}
// Whoever reads may have had enough (`| head`): what runs goes on all the same.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error) => {
    if (error.code !== 'EPIPE') throw error
  })
}

process.exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
  signal: interrupt.signal,
})
