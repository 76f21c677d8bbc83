/** Alert subjects other than limits, by their word in `limits` of a rule. */
import type { LimitKey } from './limit.ts';

export const alertTopics = {
  /** Links of a tenant that the symlink guard refused. */
  symlinks: 'symlinks.guard',
  /** A tenant's attempts to get past its jail. */
  jail: 'jail.isolation',
  /**
   * The host itself: protection that should be in force and is not, and refusals that concern no tenant. Only for the
   * administrator.
   */
  protection: 'host.protection',
} as const satisfies Record<string, LimitKey>;

export const alertTopicWords = Object.keys(alertTopics);

export const findAlertTopic = (word: string): LimitKey | undefined =>
  Object.entries(alertTopics).find(([each]) => each === word)?.[1];
