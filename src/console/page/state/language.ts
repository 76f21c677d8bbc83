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

/** The name, which is the same in all languages. */
export const product = 'Bulkhead';

const isLanguage = (text: string | undefined): text is Language =>
  text !== undefined && Object.hasOwn(languages, text);

export const language = signal<Language>(firstLanguage());

export const numbers = computed(() => numbersOf(language.value));

/** The loaders of the words of each part that is here. */
const parts = new Set<(key: Language) => Promise<void>>();

/** Returns the words of a part. English comes with the part; the others are loaded by those who read them. */
export function wordsOfPart<Own>(
  english: Own & Catalogue<Own>,
  others: Readonly<Record<Exclude<Language, 'en'>, () => Promise<Catalogue<Own>>>>,
): ReadonlySignal<Catalogue<Own>> {
  const shown: Catalogue<Own> = BULKHEAD_PSEUDO ? pseudo(english) : english;
  const known = signal<ReadonlyMap<Language, Catalogue<Own>>>(new Map([['en', shown]]));
  parts.add(async (key) => {
    if (key === 'en' || known.value.has(key)) return;
    const loaded = await others[key]();
    known.value = new Map([...known.value, [key, loaded]]);
  });
  return computed(() => known.value.get(language.value) ?? shown);
}

export const words: ReadonlySignal<Words> = wordsOfPart(en, {
  de: async () => (await import('../words/de.ts')).de,
});

/** Loads the words of all parts that are here, also of those that come meanwhile. */
async function loadWords(key: Language): Promise<void> {
  let count;
  do {
    count = parts.size;
    await Promise.all([...parts].map((load) => load(key)));
  } while (count !== parts.size);
}

/** Loads what a new part lacks in the language of the page, which may change meanwhile. */
export async function loadMissingWords(): Promise<void> {
  let key;
  do {
    key = language.value;
    await loadWords(key);
  } while (key !== language.value);
}

function firstLanguage(): Language {
  const preferred = navigator.languages.map((each) => each.slice(0, 2).toLowerCase());
  return [kept('language'), ...preferred].find(isLanguage) ?? 'en';
}

/** The language that was chosen and could not be loaded. */
export const missingLanguage = signal<Language | undefined>(undefined);
let wanted = language.value;

/** Loads the words of a language, shows them, and keeps the choice. If the line is lost, the page stays as it is. */
export async function chooseLanguage(text: string): Promise<void> {
  if (!isLanguage(text)) return;
  wanted = text;
  missingLanguage.value = undefined;
  const isLoaded = await hasLoaded(text);
  // Somebody may have chosen again.
  if (wanted !== text) return;
  if (!isLoaded) {
    missingLanguage.value = text;
    return;
  }
  keep('language', text);
  showLanguage(text);
}

/** Loads the words before the page is drawn. If the line is lost, the page is in English. */
export async function startLanguage(): Promise<void> {
  const key = language.value;
  const isLoaded = await hasLoaded(key);
  if (!isLoaded) missingLanguage.value = key;
  showLanguage(isLoaded ? key : 'en');
}

async function hasLoaded(key: Language): Promise<boolean> {
  try {
    await loadWords(key);
    return true;
  } catch {
    return false;
  }
}

function showLanguage(key: Language): void {
  language.value = key;
  document.documentElement.lang = key;
}

/** Returns the words for a limit, or for the kind of an incident. */
export function limitWords(key: LimitKey): string {
  const known: Readonly<Record<string, string>> = words.value.limits;
  return Object.hasOwn(known, key) ? (known[key] ?? key) : key;
}
