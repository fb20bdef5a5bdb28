import countryToCurrency from 'country-to-currency'
import currencyCodes from 'currency-codes'
import isoCountries from 'i18n-iso-countries'

/** A country of ISO 3166-1. */
export interface Country {
  /** `DE` */
  readonly alpha2: string
  /** `DEU` */
  readonly alpha3: string
  /** `276`: three digits, as text, because of those that begin with 0. */
  readonly numeric: string
  readonly name: string
  /** The code of its currency, where that is one of `currencies()`. */
  readonly currency?: string
}

/** A currency of ISO 4217; codes for precious metals and testing are among them. */
export interface Currency {
  /** `EUR` */
  readonly code: string
  /** `978` */
  readonly numeric: string
  readonly name: string
  /** Digits behind the point: 0 for the yen, 2 for the euro, 3 for the dinar. */
  readonly digits: number
}

/** The day of the list of ISO 4217 behind `currencies()`. */
export const currenciesPublishedOn: string = currencyCodes.publishDate

/**
 * The currencies of ISO 4217, from `currency-codes`, in the order of their codes.
 */
export function currencies(): readonly Currency[] {
  return currencyCodes.data
    .map(({ code, number, currency, digits }) => ({ code, numeric: number, name: currency, digits }))
    .sort((a, b) => (a.code < b.code ? -1 : 1))
}

/** Codes that ISO 3166-1 leaves to its users, such as `XK`. */
const userAssigned = /^(?:AA|Q[M-Z]|X[A-Z]|ZZ)$/

/**
 * The countries of ISO 3166-1, from `i18n-iso-countries`, in the order of their codes, with their currencies from
 * `country-to-currency`. `language` is that of the names. Default `en`.
 */
export function countries({ language = 'en' }: { readonly language?: string } = {}): readonly Country[] {
  const known = new Set(currencyCodes.codes())
  const byCountry: Readonly<Record<string, string>> = countryToCurrency
  return Object.entries(isoCountries.getAlpha2Codes())
    .filter(([alpha2]) => !userAssigned.test(alpha2))
    .map(([alpha2, alpha3]) => {
      const currency = byCountry[alpha2]
      return {
        alpha2,
        alpha3,
        numeric: isoCountries.alpha2ToNumeric(alpha2) ?? '',
        name: isoCountries.getName(alpha2, language) ?? alpha2,
        ...(currency !== undefined && known.has(currency) && { currency }),
      }
    })
    .sort((a, b) => (a.alpha2 < b.alpha2 ? -1 : 1))
}
