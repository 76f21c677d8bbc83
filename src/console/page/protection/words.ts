/** The words of this part. */
import { wordsOfPart } from '../state/language.ts';
import { protection as english } from '../words/en/protection.ts';

export const protectionWords = wordsOfPart(english, {
  de: async () => (await import('../words/de/protection.ts')).protection,
});
