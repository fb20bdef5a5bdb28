const macRoman = new TextDecoder('macintosh')

/** The byte behind each character that Mac Roman has beside ASCII. */
const bytes: ReadonlyMap<string, number> = new Map(
  Array.from({ length: 128 }, (_, index) => [macRoman.decode(Uint8Array.of(128 + index)), 128 + index]),
)

/**
 * Repairs a text whose Latin-1 bytes were read as Mac Roman: `LÈon` becomes `Léon`. Accented letters that were
 * read rightly are bytes below 0xA0 in Mac Roman, where Latin-1 has no letters; those texts come back unchanged.
 */
export function decodeAgain(text: string): string {
  let decoded = ''
  for (const [index, character] of [...text].entries()) {
    const byte = character < '\u0080' ? character.charCodeAt(0) : bytes.get(character)
    if (byte === undefined) return text
    if (byte < 0x80 || byte >= 0xa0) decoded += String.fromCharCode(byte)
    else if (byte === 0x85 && standsAlone(text, index)) decoded += '…'
    else return text
  }
  return decoded
}

/** The one sign below 0xA0 that the list has, in `I Love You … Don't Touch Me!`; as a letter it would be an Ö. */
function standsAlone(text: string, index: number): boolean {
  return text[index - 1] === ' ' && text[index + 1] === ' '
}
