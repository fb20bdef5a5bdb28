import { killBackends } from '@org/db-testing'

/** Kills transactions that are at work, two at a time, as long as `goesOn` and the work is not done. */
export async function killWhile(
  work: Promise<unknown>,
  goesOn: () => boolean,
  { url, where = 'true' }: { readonly url: string; readonly where?: string },
): Promise<void> {
  let isDone = false
  const end = (): void => {
    isDone = true
  }
  work.then(end, end)
  while (!isDone && goesOn()) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    await killBackends(url, { limit: 2, where: `(${where}) AND query LIKE '%pg_sleep%'` })
  }
}
