/** One incident on a page of its own. */
import type { Page } from '../page.ts';
import { lazy } from '../parts/lazy.tsx';

export const incidentPage: Page = {
  path: '/incidents/:id',
  roles: ['root', 'reseller', 'tenant'],
  title: ({ incident }, { id = '' }) => incident.title(id),
  view: lazy(async () => (await import('../member/pages.tsx')).Incident),
};
