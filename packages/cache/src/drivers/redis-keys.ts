/** What the driver calls its keys in Redis. */
export interface RedisKeys {
  readonly generation: string
  readonly rules: string
  /** The identity of the server that holds what is here. */
  readonly server: string
  entry(key: string): string
  tag(tag: string): string
  lock(key: string): string
}

/**
 * Names by prefix. What stands in braces decides the slot in a cluster: keys and tags of one model, which begin
 * with its name, share one, so that they can be compared in one script.
 */
export function redisKeys(prefix: string): RedisKeys {
  return {
    generation: `${prefix}:{${prefix}}:generation`,
    rules: `${prefix}:{${prefix}}:rules`,
    server: `${prefix}:{${prefix}}:server`,
    entry: (key) => `${prefix}:{${prefix}:${groupOf(key)}}:e:${key}`,
    tag: (tag) => `${prefix}:{${prefix}:${groupOf(tag)}}:t:${tag}`,
    lock: (key) => `${prefix}:{${prefix}:${groupOf(key)}}:l:${key}`,
  }
}

function groupOf(name: string): string {
  const end = name.search(/[:#*{}]/)
  return end < 0 ? name : name.slice(0, end)
}

/** The part of a name that decides its slot. */
export function slotOf(name: string): string {
  return name.slice(name.indexOf('{') + 1, name.indexOf('}'))
}

const origin = `${process.pid.toString(36)}${Math.floor(Math.random() * 2 ** 48).toString(36)}`
let counter = 0

/** A text that was never used before, here or elsewhere; without `;`, `,`, `.` and `!`. */
export function unique(): string {
  return `${origin}-${(++counter).toString(36)}`
}
