/** Incidents: what hit whom, how badly and for how long; the worst first. */
import type { Page } from '../page.ts';
import { lazy } from '../parts/lazy.tsx';
import { IncidentCount } from '../shell/incident-count.tsx';

export const incidentsPage: Page = {
  path: '/incidents',
  roles: ['root', 'reseller'],
  icon: 'incidents',
  title: ({ shell }) => shell.pages.incidents,
  beside: IncidentCount,
  view: lazy(async () => (await import('../host/part.ts')).Incidents),
};
