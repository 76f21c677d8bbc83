/** Fleet: this host's part in it, and all hosts on the centre. It comes in a part of its own. */
import type { Page } from '../page.ts';
import { lazy } from '../parts/lazy.tsx';
import { sessionInfo } from '../state/session.ts';

export const fleetPage: Page = {
  path: '/fleet',
  roles: ['root'],
  icon: 'fleet',
  isListed: () => sessionInfo.value?.hasFleet === true,
  title: ({ shell }) => shell.pages.fleet,
  view: lazy(async () => (await import('../fleet/part.ts')).Fleet),
};
