/** Amounts of money are whole cents: a sum of prices is exact, and nothing is ever rounded twice. */

/** Throw a TypeError unless `cents` is a whole number. */
export function requireCents(cents) {
  if (!Number.isSafeInteger(cents)) {
    throw new TypeError(`an amount is a whole number of cents, got ${cents}`);
  }
  return cents;
}

/** The sum of amounts of the same currency, in cents. */
export function add(...amounts) {
  return amounts.reduce((sum, cents) => sum + requireCents(cents), 0);
}

/** Write an amount as people of `locale` write it, such as "12,90 €" for (1290, "EUR", "de"). */
export function format(cents, currency, locale) {
  return new Intl.NumberFormat(locale, { style: "currency", currency }).format(requireCents(cents) / 100);
}
