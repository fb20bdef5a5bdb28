import { en, Faker, type LocaleDefinition } from '@faker-js/faker'
import type { SeedRow } from './data/index.ts'

/** How a faker is made. */
export interface FakerOptions {
  /** Default: English. Several: the first that has what is asked for. */
  readonly locale?: LocaleDefinition | readonly LocaleDefinition[]
  /** What faker's dates are counted from; they must not follow the clock. Default 1 January 2026. */
  readonly now?: Date
}

/**
 * A faker whose randomness is that of the rows: `const fake = rowFaker()`, then `fake(row).company.name()`. The texts come
 * from faker's own lists, so they can change with faker's version; the same version gives the same everywhere.
 */
export function rowFaker({
  locale = en,
  now = new Date('2026-01-01T00:00:00Z'),
}: FakerOptions = {}): (row: SeedRow) => Faker {
  let current: SeedRow | undefined
  const faker = new Faker({
    locale: Array.isArray(locale)
      ? [...(locale as readonly LocaleDefinition[])]
      : (locale as LocaleDefinition),
    randomizer: {
      next: () => current?.random.next() ?? 0,
      // Rows bring their own seed.
      seed: () => undefined,
    },
  })
  faker.setDefaultRefDate(now)
  return (row) => {
    current = row
    return faker
  }
}

/** A person of a row. */
export interface Person {
  readonly firstName: string
  readonly lastName: string
  /** `Ada Lovelace` */
  readonly name: string
  /** No other row has it: `ada.lovelace.7f3k@example.com`. The domain is reserved, so nobody gets mail. */
  readonly email: string
}

/** Who a row is about: a name from faker, and an address that is unique by arithmetic. */
export function person(fake: Faker, row: SeedRow): Person {
  const firstName = fake.person.firstName()
  const lastName = fake.person.lastName()
  const local = [firstName, lastName]
    .map((part) =>
      part
        .normalize('NFKD')
        .toLowerCase()
        .replaceAll(/[^a-z]/g, ''),
    )
    .filter(Boolean)
    .join('.')
  return {
    firstName,
    lastName,
    name: `${firstName} ${lastName}`,
    email: `${local || 'person'}.${row.code({ length: 6, of: 'email' })}@example.com`,
  }
}
