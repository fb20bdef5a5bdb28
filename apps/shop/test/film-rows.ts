/** A row of the list of films, flawless but for `changes`. */
export function filmRow(changes: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    Title: 'The Land Girls',
    'US Gross': 146_083,
    'Worldwide Gross': 146_083,
    'Release Date': 'Jun 12 1998',
    'MPAA Rating': 'R',
    'Running Time min': 111,
    Distributor: 'Gramercy',
    'Major Genre': 'Drama',
    Director: 'David Leland',
    'IMDB Rating': null,
    'IMDB Votes': null,
    ...changes,
  }
}
