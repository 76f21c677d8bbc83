/** One tenant, one of its sites, or a reseller's sum: its use beside its limits, its history, and what happened. */
import type { Page } from '../page.ts';
import { lazy } from '../parts/lazy.tsx';

export const tenantPage: Page = {
  path: '/tenants/:name',
  roles: ['root', 'reseller'],
  title: (_, { name = '' }) => name,
  view: lazy(async () => (await import('../member/pages.tsx')).Tenant),
};
