/** The words of this part and of the whole page. */
import { computed } from '@preact/signals';
import { words as common, wordsOfPart } from '../state/language.ts';
import { incidentsPage } from '../words/en/incidents.ts';
import { system } from '../words/en/system.ts';
import { tenants } from '../words/en/tenants.ts';

const own = wordsOfPart(
  { incidentsPage, system, tenantsPage: tenants },
  { de: () => import('../words/de/host.ts') },
);

export const words = computed(() => ({ ...common.value, ...own.value }));
