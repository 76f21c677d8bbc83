/** German. */
import { shared } from './de/shared.ts';
import { shell } from './de/shell.ts';
import { tenants } from './de/tenants.ts';
import type { Words } from './words.ts';

export const de: Words = { ...shared, shell, tenantsPage: tenants };
