/** The words of this part. */
import { wordsOfPart } from '../state/language.ts';
import { fleet as english } from '../words/en/fleet.ts';

export const fleetWords = wordsOfPart(english, {
  de: async () => (await import('../words/de/fleet.ts')).fleet,
});

/** Returns the words for a state; a later version of a host may have another one, in English. */
export function stateWords(state: string): string {
  const known: Readonly<Record<string, string>> = fleetWords.value.states;
  return Object.hasOwn(known, state) ? (known[state] ?? state) : state;
}
