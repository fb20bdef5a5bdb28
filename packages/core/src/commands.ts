import type { DatabaseConfigInput, Environment } from './config.ts'
import type { SqlClient } from './sql.ts'

/** Commands that a package gives to `orgdb`: `orgdb outbox status`, `orgdb outbox dead NAME`. */
export interface CommandGroup {
  /** The word behind `orgdb`: `outbox`. */
  readonly name: string
  /** What they are about, for `orgdb --help`. */
  readonly description: string
  readonly commands: readonly Command[]
}

/** One command. */
export interface Command {
  /** The word behind the group's: `status`. Empty where the group's own word is the whole command. */
  readonly name: string
  /** What it does, for the help. */
  readonly description: string
  /** Words behind it by name, in their order: `NAME` must be there, `NAME?` may be, `NAME…` takes all that are left. */
  readonly arguments?: readonly string[]
  readonly options?: Readonly<Record<string, CommandOption>>
  /**
   * Data are lost by it: the name of the database has to be typed before it runs, or given by `--confirm`; `--yes` does
   * instead where the environment is `development` or `testing`. Default `false`.
   */
  readonly destroys?: boolean | ((call: Pick<CommandCall, 'options'>) => boolean)
  run(call: CommandCall): Promise<CommandAnswer>
}

/** An option `--limit 10`, or a switch `--force`. */
export interface CommandOption {
  readonly type: 'string' | 'number' | 'boolean'
  readonly description: string
  /** Can be given several times; its values arrive as a list. Default `false`. */
  readonly multiple?: boolean
}

/** The value of an option. */
export type CommandValue = string | number | boolean | readonly string[] | readonly number[]

/** How a command was called. */
export interface CommandCall {
  /** By the names of `arguments`, without their `?` and `…`. */
  readonly arguments: Readonly<Record<string, string | undefined>>
  /** The words of `NAME…`. */
  readonly rest: readonly string[]
  readonly options: Readonly<Record<string, CommandValue | undefined>>
  /** The configuration, with `--url` and `--environment` in it. */
  readonly config: DatabaseConfigInput
  readonly environment: Environment
  readonly env: Readonly<Record<string, string | undefined>>
  /** The name of the database that was confirmed, where the command destroys. */
  readonly confirmed: string | undefined
  /** SQL on a connection of its own, to `directUrl` where there is one; opened when it is first asked for, closed after the command. */
  sql(): Promise<SqlClient>
  /** Tells a person what is going on; nothing is heard with `--json`. */
  progress(line: string): void
  /** Aborts with Ctrl-C. */
  readonly signal: AbortSignal
}

/** What a command says. */
export interface CommandAnswer {
  /** For people: a text, or rows of cells, of which the first may be the heading. */
  readonly text: string | readonly (readonly string[])[]
  /** For programs, with `--json`. */
  readonly json: unknown
  /** 2 where something was found that somebody should look at. Default 0. */
  readonly exitCode?: number
}
