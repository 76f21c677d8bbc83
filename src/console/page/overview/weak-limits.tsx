/** The limits that this host cannot enforce, or not fully, with the reasons. */
import '../shell/chunk.ts';
import type { WeakLimit } from '../../../agent/api/report-api.ts';
import { weaknessTexts } from '../../../limits/support.ts';
import { limitWords, wordsOfPart } from '../state/language.ts';
import { AttentionList, type AttentionItem } from './attention-list.tsx';
import { words } from './words.ts';

const reasons = wordsOfPart(weaknessTexts, {
  de: async () => (await import('../words/de/weaknesses.ts')).weaknesses,
});

export const WeakLimits = ({ weak }: { readonly weak: readonly WeakLimit[] }) => (
  <AttentionList items={weak.map(itemOf)} />
);

function itemOf({ limit, level, weaknesses = [], help, tenants }: WeakLimit): AttentionItem {
  const { overview } = words.value;
  const name = limitWords(limit);
  return {
    title: level === 'none' ? overview.notEnforced(name, tenants) : overview.partly(name, tenants),
    details: [
      ...weaknesses.map(({ code, value = '' }) => reasons.value[code](value)),
      ...(help === undefined ? [] : [help]),
    ],
  };
}
