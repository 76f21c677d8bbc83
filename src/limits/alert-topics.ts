/** What alerts can be about beside limits, by the word for it in `limits` of a rule. */
import type { LimitKey } from './limit.ts';

export const alertTopics = {
  /** Links of a tenant that the symlink guard refused. */
  symlinks: 'symlinks.guard',
  /** What a tenant tried that leads past its jail. */
  jail: 'jail.isolation',
  /** The host itself: what should be in force and is not, and what was refused to no tenant. For the administrator alone. */
  protection: 'host.protection',
} as const satisfies Record<string, LimitKey>;

export const alertTopicWords = Object.keys(alertTopics);

export const findAlertTopic = (word: string): LimitKey | undefined =>
  Object.entries(alertTopics).find(([each]) => each === word)?.[1];
