/** Formats numbers of things, and lists of them, for a sentence. */

/** Formats a number of things: `1 tenant`, `2 tenants`, `2 processes`. */
export const count = (number: number, noun: string, plural = `${noun}s`): string =>
  `${number} ${number === 1 ? noun : plural}`;

/** Lists names: `a, b and 3 more`, with at most `max` of them. */
export function listSome(names: readonly string[], max = 5): string {
  const more = names.length - max;
  return `${names.slice(0, max).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
