/** The words of `<fleet accept local>`: what each side may say. */

/** The words for what a fleet's policy may say on a host; `accept.ts` lists the elements of each. */
export const acceptWords = [
  'limits',
  'packages',
  'tenants',
  'sites',
  'jail',
  'no-jail',
  'paths',
  'network',
  'apps',
  'databases',
  'rights',
  'placement',
  'symlinks',
  'modules',
  'panel',
  'history',
  'history-push',
  'alerts',
  'agent',
  'console',
  'driver',
  'observe',
] as const;
export type AcceptWord = (typeof acceptWords)[number];

/** The words that a host accepts if its policy names none. */
export const defaultAcceptWords: readonly AcceptWord[] = [
  'limits',
  'packages',
  'tenants',
  'sites',
  'jail',
];

/** The words for what a host's own policy may say besides what only a host decides. */
export const localWords = ['limits', 'packages', 'tenants'] as const;
export type LocalWord = (typeof localWords)[number];
