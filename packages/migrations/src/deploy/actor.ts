import { hostname, userInfo } from 'node:os'
import type { Settings } from '../options.ts'

/** Who deploys: what the options say, else user and host. */
export function actor(settings: Pick<Settings, 'actor'>): string {
  return settings.actor ?? `${userName()}@${hostname()}`
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    // A container's user has often no entry in the system's list.
    return String(process.getuid?.() ?? 'unknown')
  }
}
