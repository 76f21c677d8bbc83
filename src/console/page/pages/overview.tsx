/** The overview of a host or a reseller. It comes in a part of its own, which tenants do not load. */
import type { Page } from '../page.ts';
import { lazy } from '../parts/lazy.tsx';

export const overviewPage: Page = {
  path: '/',
  roles: ['root', 'reseller'],
  icon: 'overview',
  title: ({ shell }) => shell.pages.overview,
  view: lazy(async () => (await import('../overview/part.ts')).Overview),
};
