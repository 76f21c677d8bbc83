/** German. */
import { incidentsPage } from './de/incidents.ts';
import { overview } from './de/overview.ts';
import { shared } from './de/shared.ts';
import { shell } from './de/shell.ts';
import { system } from './de/system.ts';
import { tenants } from './de/tenants.ts';
import type { Words } from './words.ts';

export const de: Words = {
  ...shared,
  shell,
  overview,
  tenantsPage: tenants,
  incidentsPage,
  system,
};
