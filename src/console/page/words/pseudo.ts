/**
 * A language for tests: English with accents, and 40 % longer. Plain text on the page is a message outside the catalogue,
 * and text that is cut off does not fit in other languages either.
 */
const accents: Readonly<Record<string, string>> = {
  a: 'á',
  e: 'é',
  i: 'í',
  o: 'ó',
  u: 'ú',
  A: 'Á',
  E: 'É',
  I: 'Í',
  O: 'Ó',
  U: 'Ú',
  n: 'ñ',
  c: 'ç',
};

export function pseudoText(text: string): string {
  const accented = text.replaceAll(/[aeiouAEIOUnc]/g, (char) => accents[char] ?? char);
  return accented + '~'.repeat(Math.ceil(text.length * 0.4));
}

type Catalogue = { readonly [key: string]: unknown };

export const pseudo = <Words>(words: Words): Words => longer(words) as Words;

function longer(value: unknown): unknown {
  if (typeof value === 'string') return pseudoText(value);
  if (typeof value === 'function')
    return (...values: unknown[]) =>
      pseudoText((value as (...all: unknown[]) => string)(...values));
  const entries = Object.entries(value as Catalogue);
  return Object.fromEntries(entries.map(([key, each]) => [key, longer(each)]));
}
