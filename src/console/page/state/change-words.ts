/** A recorded change of the policy in words: by whom, and what. */
import type { PolicyChange } from '../../../agent/api/policy-api.ts';
import { change } from '../words/en/change.ts';
import { wordsOfPart } from './language.ts';

export const changeWords = wordsOfPart(change, {
  de: async () => (await import('../words/de/change.ts')).change,
});

/** Returns `root (on the command line: set)`. */
export function changeAuthor({ user, loginBy, by, way }: PolicyChange): string {
  const text = changeWords.value;
  const who = user ?? text.somebody;
  const asWhom = loginBy === undefined ? who : text.loginBy(who, loginBy);
  return `${asWhom} (${text.ways[by]}${by === 'command' ? `: ${way}` : ''})`;
}
