/** The page of a tenant: it begins with a sentence, and says what to do. */
import type { Page } from '../page.ts';
import { lazy } from '../parts/lazy.tsx';

export const ownPage: Page = {
  path: '/',
  roles: ['tenant'],
  icon: 'overview',
  title: ({ tenant }) => tenant.ownTitle,
  view: lazy(async () => (await import('../member/pages.tsx')).Own),
};

export const ownSitePage: Page = {
  path: '/tenants/:name',
  roles: ['tenant'],
  title: (_, { name = '' }) => name,
  view: lazy(async () => (await import('../member/pages.tsx')).OwnSite),
};
