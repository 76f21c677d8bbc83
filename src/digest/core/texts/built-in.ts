/** The languages that Bulkhead ships, and the texts for a language. */
import { english } from './english.ts';
import { german } from './german.ts';
import { parseTexts } from './text-file.ts';
import type { TextKey, Texts } from './texts.ts';

/** The files of texts, by language. */
export const builtInTexts: ReadonlyMap<string, string> = new Map([
  ['en', english],
  ['de', german],
]);

/** Returns the texts of a language: an administrator's, then the built-in ones, then the English ones. */
export function textsFor(language: string, own: Texts): Texts {
  const [base = language] = language.split('-');
  const builtIn = builtInTexts.get(language) ?? builtInTexts.get(base) ?? '';
  return new Map<TextKey, string>([
    ...parseTexts(english).texts,
    ...parseTexts(builtIn).texts,
    ...own,
  ]);
}
