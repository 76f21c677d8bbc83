/** The words of this part, and those of all. */
import { computed } from '@preact/signals';
import { words as common, wordsOfPart } from '../state/language.ts';
import { incidentsPage as germanIncidents } from '../words/de/incidents.ts';
import { system as germanSystem } from '../words/de/system.ts';
import { tenants as germanTenants } from '../words/de/tenants.ts';
import { incidentsPage } from '../words/en/incidents.ts';
import { system } from '../words/en/system.ts';
import { tenants } from '../words/en/tenants.ts';

const own = wordsOfPart(
  { incidentsPage, system, tenantsPage: tenants },
  { incidentsPage: germanIncidents, system: germanSystem, tenantsPage: germanTenants },
);

export const words = computed(() => ({ ...common.value, ...own.value }));
