/** Numbers of things, and lists of them, in a sentence. */

/** `1 tenant`, `2 tenants`, `2 processes`. */
export const count = (number: number, noun: string, plural = `${noun}s`): string =>
  `${number} ${number === 1 ? noun : plural}`;

/** `a, b and 3 more`: at most `max` of them by name. */
export function listSome(names: readonly string[], max = 5): string {
  const more = names.length - max;
  return `${names.slice(0, max).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
