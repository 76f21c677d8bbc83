/** More: the agent, the sessions of the console, and a test of the alerts. */
import type { Page } from '../page.ts';
import { lazy } from '../parts/lazy.tsx';

export const systemPage: Page = {
  path: '/system',
  roles: ['root', 'reseller', 'tenant'],
  icon: 'system',
  title: ({ shell }) => shell.pages.system,
  view: lazy(async () => (await import('../host/part.ts')).System),
};
