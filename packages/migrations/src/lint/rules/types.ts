import { scanSync } from 'libpg-query'
import { isSerial } from '../../plan/volatile.ts'
import { addedColumns, constraintsIn, typeOf } from '../tree.ts'
import { type Hit, hit, none, type Rule } from '../types.ts'

const discouraged: readonly (readonly [rule: string, type: RegExp, message: string, fix: string])[] = [
  ['prefer-jsonb', /^json$/, 'json has no equality, so no DISTINCT and no GROUP BY, and no index', 'jsonb'],
  [
    'prefer-timestamptz',
    /^timestamp$/,
    'timestamp does not say which moment it is',
    'timestamptz; in Prisma @db.Timestamptz',
  ],
  [
    'prefer-text',
    /^(bpchar|char)$/,
    'char(n) pads with blanks and compares without them',
    'text, with a CHECK where the length matters',
  ],
  [
    'no-money',
    /^money$/,
    "money depends on the server's locale and has no currency",
    'numeric, or whole cents',
  ],
  [
    'prefer-timestamptz',
    /^timetz$/,
    'a time with a zone has no date to tell summer from winter',
    'timestamptz',
  ],
]

/** Types that are regretted later. */
export const typeRules: readonly Rule[] = [
  ...[...new Set(discouraged.map(([rule]) => rule))].map(
    (name): Rule => ({
      name,
      severity: 'info',
      fix: discouraged.find(([rule]) => rule === name)?.[3] ?? '',
      check: (statement) =>
        addedColumns(statement).flatMap(({ table, column }): readonly Hit[] => {
          const found = discouraged.find(([rule, type]) => rule === name && type.test(typeOf(column)))
          return found ? hit(`${table}.${column.colname}: ${found[2]}`) : none
        }),
    }),
  ),
  {
    name: 'prefer-bigint-key',
    severity: 'info',
    fix: 'bigint: changing it later means writing the table and all that point to it anew',
    check: (statement) =>
      addedColumns(statement).flatMap(({ table, column }): readonly Hit[] => {
        const kinds = constraintsIn(column.constraints).map(({ contype }) => contype)
        const small =
          /^(int[24]|(small)?serial[24]?)$/.test(typeOf(column)) &&
          (isSerial(column) || kinds.includes('CONSTR_IDENTITY'))
        return small ? hit(`${table}.${column.colname} is full after two billion rows`) : none
      }),
  },
  {
    name: 'identifier-too-long',
    severity: 'error',
    fix: 'A shorter name; PostgreSQL keeps 63 bytes',
    check({ text }) {
      // The parser cuts names off as the server does, so the tree does not show it.
      const long = scanSync(text)
        .tokens.filter(({ tokenName }) => tokenName === 'IDENT')
        .map((each) => each.text.replace(/^"|"$/g, ''))
        .find((each) => Buffer.byteLength(each) > 63)
      return long === undefined ? none : hit(`${long.slice(0, 20)}… is cut off, and may then collide`)
    },
  },
  {
    name: 'security-definer-search-path',
    severity: 'warning',
    fix: 'SET search_path = pg_catalog, and the schemas it needs, in the definition of the function',
    check({ tree }) {
      if (!('CreateFunctionStmt' in tree)) return none
      const options =
        tree.CreateFunctionStmt.options?.flatMap((each) => ('DefElem' in each ? [each.DefElem] : [])) ?? []
      const definer = options.some(
        ({ defname, arg }) => defname === 'security' && JSON.stringify(arg).includes('"boolval":true'),
      )
      const fixed = options.some(
        ({ defname, arg }) => defname === 'set' && JSON.stringify(arg).includes('"search_path"'),
      )
      return definer && !fixed
        ? hit('Its caller chooses which tables and functions it finds, with the rights of its owner')
        : none
    },
  },
  {
    name: 'grant-to-public',
    severity: 'warning',
    fix: 'Name the roles',
    check({ tree }) {
      if (!('GrantStmt' in tree) || !tree.GrantStmt.is_grant) return none
      const open = tree.GrantStmt.grantees?.some(
        (each) => 'RoleSpec' in each && each.RoleSpec.roletype === 'ROLESPEC_PUBLIC',
      )
      return open && tree.GrantStmt.objtype !== 'OBJECT_SCHEMA'
        ? hit('Every role, of now and later, gets the right')
        : none
    },
  },
]
