/** The language of the page: what the browser prefers, or what was chosen here. */
import { computed, signal, type ReadonlySignal } from '@preact/signals';
import type { LimitKey } from '../../../limits/limit.ts';
import { de } from '../words/de.ts';
import { en } from '../words/en.ts';
import { numbersOf } from '../words/numbers.ts';
import { pseudo } from '../words/pseudo.ts';
import type { Catalogue, Words } from '../words/words.ts';
import { keep, kept } from './kept.ts';

/** Whether this build is for the tests of languages; scripts/console.ts sets it. */
declare const BULKHEAD_PSEUDO: boolean;

const catalogues = { en: BULKHEAD_PSEUDO ? pseudo(en) : en, de } as const satisfies Record<
  string,
  Words
>;

/** The name, which is the same in all languages. */
export const product = 'Bulkhead';

export type Language = keyof typeof catalogues;
export const languages: Readonly<Record<Language, string>> = { en: 'English', de: 'Deutsch' };

const isLanguage = (text: string | undefined): text is Language =>
  text !== undefined && Object.hasOwn(catalogues, text);

export const language = signal<Language>(firstLanguage());

export const words = computed<Words>(() => catalogues[language.value]);
export const numbers = computed(() => numbersOf(language.value));

/** Returns the words of a part that is loaded on demand. */
export const wordsOfPart = <Own>(
  english: Own & Catalogue<Own>,
  german: Catalogue<Own>,
): ReadonlySignal<Catalogue<Own>> =>
  computed(() => {
    if (language.value === 'de') return german;
    return BULKHEAD_PSEUDO ? pseudo(english) : english;
  });

function firstLanguage(): Language {
  const preferred = navigator.languages.map((each) => each.slice(0, 2).toLowerCase());
  return [kept('language'), ...preferred].find(isLanguage) ?? 'en';
}

export function chooseLanguage(text: string): void {
  if (!isLanguage(text)) return;
  language.value = text;
  document.documentElement.lang = text;
  keep('language', text);
}

/** Returns the words for a limit, or for the kind of an incident. */
export function limitWords(key: LimitKey): string {
  const known: Readonly<Record<string, string>> = words.value.limits;
  return Object.hasOwn(known, key) ? (known[key] ?? key) : key;
}
