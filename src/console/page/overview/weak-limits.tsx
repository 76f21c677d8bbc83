/** The limits that this host cannot enforce, or not fully, with the reasons and with advice. */
import type { WeakLimit } from '../../../agent/api/report-api.ts';
import { limitWords } from '../state/language.ts';
import type { AttentionItem } from './attention-list.tsx';
import { attentionWords, supportWords } from './attention-words.ts';

export function weakItem({
  limit,
  level,
  weaknesses = [],
  helps = [],
  tenants,
}: WeakLimit): AttentionItem {
  const text = attentionWords.value;
  const { reasons, helps: advice } = supportWords.value;
  const name = limitWords(limit);
  return {
    title: level === 'none' ? text.notEnforced(name, tenants) : text.partly(name, tenants),
    details: [
      ...weaknesses.map(({ code, value = '' }) => reasons[code](value)),
      ...helps.map(({ code, value = '' }) => advice[code](value)),
    ],
  };
}
