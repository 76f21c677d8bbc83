/** Policy, and what other limits would have done. Both come in a part of their own, with the parser of policies. */
import type { Page } from '../page.ts';
import { lazy } from '../parts/lazy.tsx';

export const policyPage: Page = {
  path: '/policy',
  roles: ['root', 'reseller'],
  icon: 'policy',
  title: ({ shell }) => shell.pages.policy,
  view: lazy(async () => (await import('../policy/part.ts')).Policy),
};

export const whatIfPage: Page = {
  path: '/policy/what-if',
  roles: ['root'],
  title: ({ shell }) => shell.pages.whatIf,
  view: lazy(async () => (await import('../policy/part.ts')).WhatIf),
};
