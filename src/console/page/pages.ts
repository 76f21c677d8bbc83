/** The pages, in the order of the navigation. */
import type { Page } from './page.ts';
import { tenantsPage } from './pages/tenants.tsx';

export const pages: readonly Page[] = [tenantsPage];
