/** Protection and Modules: what is enforced besides limits. Both come in a part of their own. */
import type { Page } from '../page.ts';
import { lazy } from '../parts/lazy.tsx';

export const protectionPage: Page = {
  path: '/protection',
  roles: ['root'],
  icon: 'protection',
  title: ({ shell }) => shell.pages.protection,
  view: lazy(async () => (await import('../protection/part.ts')).Protection),
};

export const modulesPage: Page = {
  path: '/modules',
  roles: ['root'],
  icon: 'modules',
  title: ({ shell }) => shell.pages.modules,
  view: lazy(async () => (await import('../protection/part.ts')).Modules),
};
