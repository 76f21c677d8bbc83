/** Tenants: use beside each limit, live. */
import type { Page } from '../page.ts';
import { lazy } from '../parts/lazy.tsx';

export const tenantsPage: Page = {
  path: '/tenants',
  roles: ['root', 'reseller'],
  icon: 'tenants',
  title: ({ shell }) => shell.pages.tenants,
  view: lazy(async () => (await import('../host/part.ts')).Tenants),
};
