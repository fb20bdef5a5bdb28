import type { MigrationEvent } from '@org/db-migrations'

/** What a person hears of an event; `undefined` for what is too small to tell. */
export function progressLine(event: MigrationEvent): string | undefined {
  switch (event.type) {
    case 'waiting':
      return `waiting for another runner: ${event.holder}`
    case 'started':
      return `${event.migration}: ${event.direction}, ${event.statements} statements${event.done > 0 ? `, ${event.done} of them done earlier` : ''}`
    case 'statement':
      // Quick statements are told by their migration.
      return event.ms < 1_000
        ? undefined
        : `${event.migration}: statement ${event.statement} of ${event.statements}, ${seconds(event.ms)}`
    case 'retry':
      return `${event.migration}: others hold the lock (${event.code}), attempt ${event.attempt + 1} in ${seconds(event.delayMs)}`
    case 'index-removed':
      return `${event.migration}: invalid index ${event.index} removed`
    case 'notice':
      return `${event.migration}: ${event.message}`
    case 'data': {
      const share = event.estimatedRows
        ? `, about ${Math.min(100, Math.round((100 * event.rows) / event.estimatedRows))} %`
        : ''
      return `${event.migration}: data, ${event.rows} rows in ${event.batches} batches${share}`
    }
    case 'finished':
      return `${event.migration}: done in ${seconds(event.ms)}`
    case 'warning':
      return `warning: ${event.migration ?? ''} ${event.message}`
  }
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`
}
