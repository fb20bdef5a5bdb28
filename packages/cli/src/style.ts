import type { CliHost } from './host.ts'

/** Colours, or none. */
export interface Style {
  bold(text: string): string
  dim(text: string): string
  good(text: string): string
  bad(text: string): string
  warn(text: string): string
}

/** Colours where a person looks at a terminal that has them; https://no-color.org. */
export function styleOf(
  { env }: Pick<CliHost, 'env'>,
  {
    isTTY = false,
    plain = false,
  }: { readonly isTTY?: boolean | undefined; readonly plain?: boolean | undefined },
): Style {
  const wanted = env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '0'
  const isOn = !plain && !env.NO_COLOR && env.TERM !== 'dumb' && (wanted || isTTY)
  const in_ = (open: number, close: number) => (text: string) =>
    isOn && text !== '' ? `\u001b[${open}m${text}\u001b[${close}m` : text
  return { bold: in_(1, 22), dim: in_(2, 22), good: in_(32, 39), bad: in_(31, 39), warn: in_(33, 39) }
}

const colours: readonly (readonly [RegExp, 'good' | 'bad' | 'warn'])[] = [
  [/^(?:ok|done|applied|same)\b/, 'good'],
  [/^(?:error|fail(?:ed)?|wrong|differs|refused|missing)\b/, 'bad'],
  [/^(?:warn(?:ing)?|pending|edited|left-out|dead|rolled-back|invalid)\b/, 'warn'],
]

/** Colours the words by which a line begins, or that stand in a column of their own. */
export function coloured(text: string, style: Style): string {
  return text.replaceAll(/(^|\n|\s{2,})([a-z-]+)(?=[\s,:]|$)/g, (whole, before: string, word: string) => {
    const found = colours.find(([pattern]) => pattern.test(word))
    return found ? `${before}${style[found[1]](word)}` : whole
  })
}
