import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { TestingError } from './errors.ts'

/** Finds a program in `PATH` or where Debian and Homebrew install servers. Throws `DB_TESTING_BINARY_MISSING`. */
export function findExecutable(name: string, enable: string): string {
  const { PATH = '' } = process.env
  const directories = [...PATH.split(delimiter), '/usr/sbin', '/usr/local/bin', '/opt/homebrew/bin']
  for (const directory of directories.filter((entry) => entry !== '')) {
    const path = join(directory, name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      // Not in this directory.
    }
  }
  throw new TestingError('DB_TESTING_BINARY_MISSING', `${name} is not installed. ${enable}`)
}
