/** The language of the page: what the browser prefers, or what was chosen here. */
import { computed, signal, type ReadonlySignal } from '@preact/signals';
import type { LimitKey } from '../../../limits/limit.ts';
import { en } from '../words/en.ts';
import { numbersOf } from '../words/numbers.ts';
import { pseudo } from '../words/pseudo.ts';
import type { Catalogue, Words } from '../words/words.ts';
import { keep, kept } from './kept.ts';

/** Whether this build is for the tests of languages; scripts/console.ts sets it. */
declare const BULKHEAD_PSEUDO: boolean;

export const languages = { en: 'English', de: 'Deutsch' } as const;
export type Language = keyof typeof languages;

/** English is always there; the others are loaded by those who read them. */
const loaders: Readonly<Record<Exclude<Language, 'en'>, () => Promise<Words>>> = {
  de: async () => (await import('../words/de.ts')).de,
};

const english: Words = BULKHEAD_PSEUDO ? pseudo(en) : en;
const loaded = signal<ReadonlyMap<Language, Words>>(new Map([['en', english]]));

/** The name, which is the same in all languages. */
export const product = 'Bulkhead';

const isLanguage = (text: string | undefined): text is Language =>
  text !== undefined && Object.hasOwn(languages, text);

export const language = signal<Language>(firstLanguage());

export const words = computed<Words>(() => loaded.value.get(language.value) ?? english);
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

export async function chooseLanguage(text: string): Promise<void> {
  if (!isLanguage(text)) return;
  keep('language', text);
  await showLanguage(text);
}

/** Loads the words of a language, and shows them. If the line is lost, the page stays in English. */
export async function showLanguage(key: Language): Promise<void> {
  try {
    if (key !== 'en' && !loaded.value.has(key))
      loaded.value = new Map([...loaded.value, [key, await loaders[key]()]]);
    language.value = key;
  } catch {
    language.value = 'en';
  }
  document.documentElement.lang = language.value;
}

/** Returns the words for a limit, or for the kind of an incident. */
export function limitWords(key: LimitKey): string {
  const known: Readonly<Record<string, string>> = words.value.limits;
  return Object.hasOwn(known, key) ? (known[key] ?? key) : key;
}
