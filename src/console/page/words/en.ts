/** English, the language that the others are translated from. Each part of the page has a file in `en/`. */
import { incidentsPage } from './en/incidents.ts';
import { overview } from './en/overview.ts';
import { shared } from './en/shared.ts';
import { shell } from './en/shell.ts';
import { system } from './en/system.ts';
import { tenants } from './en/tenants.ts';

export const en = {
  ...shared,
  shell,
  overview,
  tenantsPage: tenants,
  incidentsPage,
  system,
};
