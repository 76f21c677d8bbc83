/** The words for what needs attention, and for limits that are not enforced. */
import { helpTexts, weaknessTexts } from '../../../limits/support.ts';
import { wordsOfPart } from '../state/language.ts';
import { attention } from '../words/en/attention.ts';

export const attentionWords = wordsOfPart(attention, {
  de: async () => (await import('../words/de/attention.ts')).attention,
});

/** The reasons why limits are not enforced, and advice, by their codes. */
export const supportWords = wordsOfPart(
  { reasons: weaknessTexts, helps: helpTexts },
  { de: () => import('../words/de/support.ts') },
);
