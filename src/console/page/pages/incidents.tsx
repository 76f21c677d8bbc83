/** Incidents: what hit whom, how badly and for how long; the worst first. */
import type { Page } from '../page.ts';
import { lazy } from '../parts/lazy.tsx';

export const incidentsPage: Page = {
  path: '/incidents',
  roles: ['root', 'reseller'],
  icon: 'incidents',
  title: ({ shell }) => shell.pages.incidents,
  view: lazy(async () => (await import('../host/part.ts')).Incidents),
};
