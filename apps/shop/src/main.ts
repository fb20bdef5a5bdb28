import { environment, sayWhy } from './environment.ts'
import { startServer } from './server.ts'

try {
  const server = await startServer({ ...environment(), logger: true })
  console.log(`The shop is open: ${server.url}/films`)

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    // Once: a second signal ends the process at once.
    process.once(signal, () => {
      console.log(`${signal}: finishing what is in progress`)
      server.stop().catch(sayWhy)
    })
  }
} catch (error) {
  sayWhy(error)
}
