/** The words of this part and of the whole page. */
import { computed } from '@preact/signals';
import { words as common, wordsOfPart } from '../state/language.ts';
import { incident as englishIncident } from '../words/en/incident.ts';
import { tenant as english } from '../words/en/tenant.ts';

const own = wordsOfPart(
  { tenant: english, incident: englishIncident },
  { de: () => import('../words/de/member.ts') },
);

export const words = computed(() => ({ ...common.value, ...own.value }));
