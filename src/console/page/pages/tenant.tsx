/** The pages of one tenant, its sites and one incident. They come in a part of their own, and charts in another. */
import type { Page } from '../page.ts';
import { lazy } from '../parts/lazy.tsx';

export const tenantPage: Page = {
  path: '/tenants/:name',
  roles: ['root', 'reseller'],
  title: (_, { name = '' }) => name,
  view: lazy(async () => (await import('../member/tenant.tsx')).Tenant),
};

export const ownPage: Page = {
  path: '/',
  roles: ['tenant'],
  icon: 'overview',
  title: ({ shell }) => shell.pages.own,
  view: lazy(async () => (await import('../member/part.ts')).Own),
};

export const ownSitePage: Page = {
  path: '/tenants/:name',
  roles: ['tenant'],
  title: (_, { name = '' }) => name,
  view: lazy(async () => (await import('../member/part.ts')).OwnSite),
};

export const incidentPage: Page = {
  path: '/incidents/:id',
  roles: ['root', 'reseller', 'tenant'],
  title: ({ shell }, { id = '' }) => shell.pages.incident(id),
  view: lazy(async () => (await import('../member/part.ts')).Incident),
};
