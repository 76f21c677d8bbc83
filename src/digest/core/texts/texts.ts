/** The texts of a digest, by key, and the words in braces that each may have. */
import { attributes } from '../../../limits/limits.ts';

export const textFields = {
  subject: ['accounts', 'host'],
  subjectMany: ['count', 'host'],
  intro: ['host', 'from', 'to'],
  sum: ['account'],
  reached: ['limit', 'value', 'times'],
  busy: ['limit', 'used', 'value', 'percent'],
  disk: ['limit', 'used', 'value', 'percent'],
  full: ['date'],
  more: ['count'],
  advice: [],
  footer: ['host'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type SentenceKey = keyof typeof textFields;
/** A sentence, or the name of a limit: `limit memory`. */
export type TextKey = SentenceKey | `limit ${string}`;

export type Texts = ReadonlyMap<TextKey, string>;

/** Returns the name of a limit in policies: `memory`, `io read`. */
export const limitWord = (key: string): string => key.replace(/\.limit$/, '').replace('.', ' ');

const limitKeys: readonly TextKey[] = [...attributes.keys()].map(
  (each) => `limit ${limitWord(each)}` as const,
);

const isSentence = (key: string): key is SentenceKey => Object.hasOwn(textFields, key);

export const isTextKey = (key: string): key is TextKey =>
  isSentence(key) || limitKeys.some((each) => each === key);

/** Returns the words in braces that a text may have. */
export const fieldsOf = (key: TextKey): readonly string[] =>
  isSentence(key) ? textFields[key] : [];

/** Returns the text with its fields filled in; a field never has fields of its own. */
export const fillText = (text: string, fields: Readonly<Record<string, string>>): string =>
  text.replace(/\{(\w+)\}/g, (whole, name: string) =>
    Object.hasOwn(fields, name) ? (fields[name] ?? '') : whole,
  );
