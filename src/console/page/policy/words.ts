/** The words of this part. */
import { wordsOfPart } from '../state/language.ts';
import { policy as english } from '../words/en/policy.ts';

export const policyWords = wordsOfPart(english, {
  de: async () => (await import('../words/de/policy.ts')).policy,
});
