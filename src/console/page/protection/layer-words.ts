/** The words for layers of protection and for attacks, by the codes and names that commands keep. */
import { layerTexts } from '../../../../packages/base/layer-texts.ts';
import { helpTexts, weaknessTexts } from '../../../limits/support.ts';
import { wordsOfPart } from '../state/language.ts';

/** All texts that the parts of a layer may have. */
export const layerWords = wordsOfPart(
  { ...layerTexts, ...weaknessTexts, ...helpTexts },
  { de: async () => (await import('../words/de/layers.ts')).layers },
);

type AttackWords = Readonly<
  Record<string, { readonly summary: string; readonly remedy: string } | undefined>
>;

/** English is in the answer; other languages have a text for each attack. */
export const attackWords = wordsOfPart<AttackWords>(
  {},
  { de: async () => (await import('../words/de/attacks.ts')).attacks },
);
