import type { FieldMetadata } from '../../metadata.ts'
import type { Request } from './arguments.ts'
import { Prepared, type Target } from './prepared.ts'
import { columnSql, type Table } from './table.ts'

/** What to do for all calls of one shape. */
export interface Plan {
  /** `row`: one or `null`. `rows`: a list. `count`: a number. */
  readonly result: 'row' | 'rows' | 'count'
  readonly prepared: Prepared
  /** How several of one tick become one statement; absent for what is no lookup by a unique key. */
  readonly merge: Merge | undefined
}

/** Lookups in one statement. */
export interface Merge {
  readonly prepared: Prepared
  /** Which of the values make up the key; the others are the same for all that are merged. */
  readonly key: readonly number[]
  readonly rest: readonly number[]
  /** Where a row says which lookup it is for: a field, or the first column behind the fields. */
  readonly match: { readonly field: string } | 'text' | 'position'
}

/** One comparison of a column. */
interface Part {
  readonly field: string
  readonly operator: Operator
  /** Its place among the values; -1 for a null. */
  readonly index: number
}

/** Lists of conditions of which one has to hold. */
interface Alternatives {
  readonly alternatives: readonly (readonly Node[])[]
}

type Node = Part | Alternatives
type Operator = '=' | '@' | '0' | '1' | '<' | '[' | '>' | ']'

/** Makes the plan for conditions of that shape. */
export function createPlan(action: string, shape: string, request: Request, table: Table): Plan {
  const nodes = readShape(shape)
  const conditions = nodes.map((node) => nodeSql(node, table))
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`
  const from = ` FROM ${table.from} AS t`
  if (action === 'count') {
    return { result: 'count', prepared: new Prepared(`SELECT count(*)${from}${where}`), merge: undefined }
  }
  const columns = request.fields.map((name) => {
    const field = fieldOf(table, name)
    // The type of an array of the user's own type tells nothing.
    return field.kind === 'enum' && field.isList ? `${columnSql(field)}::text[]` : columnSql(field)
  })
  const select = `SELECT ${columns.join(', ')}`
  const target = { fields: request.fields, table }
  if (action === 'findMany') {
    const text = `${select}${from}${where}${request.orderBy}${windowSql(request, valuesIn(nodes))}`
    return { result: 'rows', prepared: new Prepared(text, target), merge: undefined }
  }
  const parts = nodes.filter((node) => 'field' in node)
  const unique = uniqueIn(parts, table)
  const text = `${select}${from}${where}${unique ? '' : `${request.orderBy} LIMIT 1`}`
  const isFlat = parts.length === nodes.length
  const merge = unique && isFlat ? createMerge({ parts, unique, columns, target, from }) : undefined
  return { result: 'row', prepared: new Prepared(text, target), merge }
}

/** `LIMIT` and `OFFSET`, behind so many other parameters. */
function windowSql({ take, skip, isTakeFixed }: Request, parameters: number): string {
  let next = parameters
  const limit = take === undefined ? '' : ` LIMIT ${isTakeFixed ? take : `$${++next}`}`
  return skip === undefined ? limit : `${limit} OFFSET $${++next}`
}

/** `id=;note0;(;at>;|;at=;id>;);` */
function readShape(shape: string): readonly Node[] {
  const tokens = shape.split(';').slice(0, -1)
  let at = 0
  let index = 0

  function readList(): readonly Node[] {
    const nodes: Node[] = []
    for (let token = tokens[at]; token !== undefined && token !== '|' && token !== ')'; token = tokens[at]) {
      at += 1
      nodes.push(token === '(' ? readAlternatives() : readPart(token))
    }
    return nodes
  }

  function readAlternatives(): Alternatives {
    const alternatives = [readList()]
    while (tokens[at++] === '|') alternatives.push(readList())
    return { alternatives }
  }

  function readPart(token: string): Part {
    const operator = token.at(-1) as Operator
    const isNull = operator === '0' || operator === '1'
    return { field: token.slice(0, -1), operator, index: isNull ? -1 : index++ }
  }

  return readList()
}

function valuesIn(nodes: readonly Node[]): number {
  let count = 0
  for (const node of nodes) {
    if ('field' in node) count += node.index < 0 ? 0 : 1
    else for (const list of node.alternatives) count += valuesIn(list)
  }
  return count
}

function nodeSql(node: Node, table: Table): string {
  if ('field' in node) return conditionSql(node, table, node.index + 1)
  const lists = node.alternatives.map((list) => list.map((each) => nodeSql(each, table)).join(' AND '))
  return `(${lists.join(' OR ')})`
}

function fieldOf(table: Table, name: string): FieldMetadata {
  return table.model.fields[name] as FieldMetadata
}

function conditionSql({ field, operator }: Part, table: Table, parameter: number): string {
  return conditionTexts[operator](columnSql(fieldOf(table, field)), `$${parameter}`)
}

const conditionTexts: Readonly<Record<Operator, (column: string, parameter: string) => string>> = {
  '=': (column, parameter) => `${column} = ${parameter}`,
  '@': (column, parameter) => `${column} = ANY(${parameter})`,
  '0': (column) => `${column} IS NULL`,
  '1': (column) => `${column} IS NOT NULL`,
  '<': (column, parameter) => `${column} < ${parameter}`,
  '[': (column, parameter) => `${column} <= ${parameter}`,
  '>': (column, parameter) => `${column} > ${parameter}`,
  ']': (column, parameter) => `${column} >= ${parameter}`,
}

/** The conditions that can only be met by one row. */
function uniqueIn(parts: readonly Part[], table: Table): readonly Part[] | undefined {
  for (const fields of table.model.uniques) {
    const found = fields.map((field) => parts.find((part) => part.field === field && part.operator === '='))
    if (found.every((part) => part !== undefined)) return found
  }
  return undefined
}

interface MergeParts {
  readonly parts: readonly Part[]
  readonly unique: readonly Part[]
  readonly columns: readonly string[]
  readonly target: Target
  readonly from: string
}

function createMerge({ parts, unique, columns, target, from }: MergeParts): Merge | undefined {
  const types = unique.map(({ field }) => keyType(fieldOf(target.table, field)))
  if (types.includes(undefined)) return undefined
  const others = parts.filter((part) => !unique.includes(part))
  const rest = others.filter(({ index }) => index >= 0).map(({ index }) => index)
  const key = unique.map(({ index }) => index)
  let parameter = key.length
  const conditions = others.map((part) => conditionSql(part, target.table, part.index < 0 ? 0 : ++parameter))
  const [only] = unique
  if (unique.length === 1 && only && types[0] !== 'text') {
    const { field } = only
    const column = columnSql(fieldOf(target.table, field))
    const where = [`${column} = ANY($1)`, ...conditions].join(' AND ')
    if (types[0] === 'int4' && target.fields.includes(field)) {
      const text = `SELECT ${columns.join(', ')}${from} WHERE ${where}`
      return { prepared: new Prepared(text, target), key, rest, match: { field } }
    }
    const text = `SELECT ${[...columns, column].join(', ')}${from} WHERE ${where}`
    const others = [keyTypes[types[0] ?? ''] ?? []]
    return { prepared: new Prepared(text, { ...target, others }), key, rest, match: 'text' }
  }
  // The server compares, as only it knows how: by collation, for one.
  const names = unique.map((_, index) => `k${index}`)
  const keys = `unnest(${types.map((type, index) => `$${index + 1}::${type}[]`).join(', ')}) WITH ORDINALITY AS k(${names.join(', ')}, position)`
  const on = unique.map(({ field }, index) => `${columnSql(fieldOf(target.table, field))} = k.k${index}`)
  const own = unique.map(({ field }) => columnSql(fieldOf(target.table, field)))
  const text = `SELECT ${[...columns, 'k.position', ...own].join(', ')} FROM ${keys} JOIN${from.slice(5)} ON ${[...on, ...conditions].join(' AND ')}`
  // A column of another type, such as citext, would be compared in another way than by itself.
  const checked = [keyTypes.int8 ?? [], ...types.map((type) => keyTypes[type ?? ''] ?? [])]
  return { prepared: new Prepared(text, { ...target, others: checked }), key, rest, match: 'position' }
}

const keyTypes: Readonly<Record<string, readonly number[]>> = {
  int4: [23],
  int8: [20],
  uuid: [2950],
  text: [25, 1043],
}

/** The server's type of a key whose values can be sent as a list. */
function keyType({ kind, type, nativeType }: FieldMetadata): string | undefined {
  const native = nativeType?.[0]
  if (kind !== 'scalar') return undefined
  if (type === 'Int') return native === undefined || native === 'Integer' ? 'int4' : undefined
  if (type === 'BigInt') return 'int8'
  if (type !== 'String') return undefined
  if (native === 'Uuid') return 'uuid'
  return native === undefined || native === 'Text' || native === 'VarChar' ? 'text' : undefined
}
