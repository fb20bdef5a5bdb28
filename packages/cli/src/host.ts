/** Where a command reads and writes; the process, or a test's own. */
export interface CliHost {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdout: { write(text: string): unknown; readonly isTTY?: boolean }
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean }
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean }
  /** Where `orgdb.config.ts` and relative paths are looked for. Default: the process's. */
  readonly cwd?: string
  /** Aborts what runs. Default: never. */
  readonly signal?: AbortSignal
}

/** What `orgdb` exits with. */
export const exitCodes = {
  done: 0,
  failed: 1,
  /** Something is pending, differs, or has findings. */
  findings: 2,
  refused: 3,
  /** Another runner is at work; later it may succeed. */
  busy: 4,
  /** By Ctrl-C or a signal, in order. */
  interrupted: 130,
} as const
